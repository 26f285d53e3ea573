package highhelp

import "context"

// Ask is [Client.Info] with the whole answer beside it, as it came, so that it
// can be stored.
func (c *Client) Ask(ctx context.Context, paymentID string) (info Info, raw []byte, err error) {
	op := c.about("info", PathInfo, paymentID)
	op.repeat = mayHelp
	info, err = call(ctx, c, op, op.enquiry(), func(answer []byte) (Info, Answer, error) {
		raw = answer
		info, err := parseInfo(answer)
		return info, info.Answer, err
	})
	if err != nil {
		return Info{}, nil, err
	}
	return info, raw, nil
}

package notify

import "context"

// Round makes the deliveries of all endpoints that are due, once, and returns how
// many were attempted.
func (d *Dispatcher) Round(ctx context.Context) (attempted int) {
	for _, e := range *d.endpoints.Load() {
		attempted += d.round(ctx, e, 0).attempted
	}
	return attempted
}

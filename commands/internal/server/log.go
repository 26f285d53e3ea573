package server

import (
	"io"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"tolem/config"
	"tolem/store"
)

// LogOptimizations says which optimizations are live in this process. What each
// is, and how it is switched off, is in docs/architecture.md.
func LogOptimizations(log *zap.Logger, all []store.Optimization) {
	live, off := []string{}, []string{}
	for _, o := range all {
		if o.Live {
			live = append(live, o.Name)
		} else {
			off = append(off, o.Name)
		}
	}
	log.Info("optimizations", zap.Strings("live", live), zap.Strings("off", off))
}

// NewLogger makes the program's logger.
func NewLogger(c config.Log, w io.Writer) *zap.Logger {
	level, err := zapcore.ParseLevel(c.Level)
	if err != nil {
		level = zapcore.InfoLevel // the configuration knows no other words
	}
	encoding := zap.NewProductionEncoderConfig()
	encoding.TimeKey = "time"
	encoding.EncodeTime = func(t time.Time, out zapcore.PrimitiveArrayEncoder) {
		out.AppendString(logTime(t))
	}
	encoding.EncodeDuration = zapcore.SecondsDurationEncoder
	encoder := zapcore.NewJSONEncoder(encoding)
	if c.Format == config.LogConsole {
		encoder = zapcore.NewConsoleEncoder(encoding)
	}
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(evenly(w))), level))
}

// logTime is the time of a line in UTC, RFC 3339 with six digits of the second. The
// time package reads any layout but those of RFC 3339 anew for each line, which
// takes three times as long.
func logTime(t time.Time) string {
	t = t.UTC()
	var buffer [len("2006-01-02T15:04:05.000000Z")]byte
	b := t.AppendFormat(buffer[:0], time.RFC3339)
	b = append(b[:len(b)-len("Z")], '.')
	micros := t.Nanosecond() / 1000
	for unit := 100_000; unit > 0; unit /= 10 {
		b = append(b, byte('0'+micros/unit%10))
	}
	return string(append(b, 'Z'))
}

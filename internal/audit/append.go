package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Append writes one entry to the diary at path, for programs that do one thing
// and end. Another process may write there meanwhile.
func Append(path string, e Entry) error {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	var line bytes.Buffer
	e.Write(context.Background(), slog.New(handler(&line)))
	_, err := appender{path}.Write(line.Bytes())
	return err
}

// Appending returns a logger whose records go to the diary at path, each by
// [Append], and to another log. What cannot be written to the diary is left out.
func Appending(path string, log *slog.Logger) *slog.Logger {
	return slog.New(slog.NewMultiHandler(handler(appender{path}), log.Handler()))
}

// An appender opens the diary for each line.
type appender struct{ path string }

// Write appends a line.
func (a appender) Write(line []byte) (int, error) {
	f, _, err := openPrivate(a.path)
	if err != nil {
		return 0, fmt.Errorf("writing the audit entry: %w", err)
	}
	n, err := f.Write(line)
	if err := errors.Join(err, f.Close()); err != nil {
		return n, fmt.Errorf("writing the audit entry: %w", err)
	}
	return n, nil
}

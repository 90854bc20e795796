package cli

import "io"

// A helpWriter passes on what cobra prints, help, version and completion, and
// keeps what kept it from that: cobra drops some of these errors.
type helpWriter struct {
	w   io.Writer
	err error
}

// Write passes text on.
func (h *helpWriter) Write(text []byte) (int, error) {
	n, err := h.w.Write(text)
	if err != nil && h.err == nil {
		h.err = err
	}
	return n, err
}

// failed returns why something was not written, nil if all of it was.
func (h *helpWriter) failed() error {
	if h.err == nil {
		return nil
	}
	return Fail(ExitFailure, "writing the output: %w", h.err)
}

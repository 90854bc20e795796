package admin

// Decode reads the running server's answer.
func Decode(status int, text []byte, out any) error { return decode(status, text, out) }

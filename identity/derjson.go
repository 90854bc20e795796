package identity

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
)

var errNoBase64 = errors.New("not standard padded base64")

// checkDER judges the JSON value with which b begins, of a member that holds DER,
// or a list of such. It looks for what encoding/json would read without a word:
// line breaks within base64, stray bits at its end (RFC 4648 sections 3.1 and
// 3.5), null in a list, and an array of numbers in place of the text. The rest
// is left to encoding/json.
func checkDER(b []byte, list bool) error {
	if b[0] == '"' && !list {
		return checkBase64(b[:endOfString(b, 0)])
	}
	if !list || b[0] != '[' {
		return errNoBase64
	}
	for i := 1; ; i++ {
		switch b[i] {
		case ' ', '\t', '\r', '\n', ',':
		case ']':
			return nil
		case '"':
			end := endOfString(b, i)
			if err := checkBase64(b[i:end]); err != nil {
				return err
			}
			i = end - 1
		default:
			return errNoBase64
		}
	}
}

// checkBase64 judges a JSON string. Line breaks can only be in it as escapes.
func checkBase64(quoted []byte) error {
	text := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		var plain string
		if err := json.Unmarshal(quoted, &plain); err != nil {
			return err
		}
		if text = []byte(plain); bytes.ContainsAny(text, "\r\n") {
			return errNoBase64
		}
	}
	if !bytes.HasSuffix(text, []byte("=")) {
		return nil
	}
	last := text[max(0, len(text)-4):]
	if _, err := base64.StdEncoding.Strict().Decode(make([]byte, 3), last); err != nil {
		return errNoBase64
	}
	return nil
}

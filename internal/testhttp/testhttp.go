// Package testhttp talks HTTP/1.1 by the byte, for tests of servers.
package testhttp

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// deadline is shorter than those of the servers.
const deadline = 10 * time.Second

// Exchange sends a text and returns the statuses of all answers until the server
// ends the connection, such as "100 200 404". So the last request of the text asks
// for that: were it our side that ended, the server would give up what it is about.
func Exchange(c *tls.Conn, text string) string {
	_ = c.SetDeadline(time.Now().Add(deadline))
	go func() {
		_, _ = io.WriteString(c, text) // the server may stop reading in the middle
	}()
	var all []string
	for r := bufio.NewReader(c); ; {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return strings.Join(all, " ")
		}
		all = append(all, strconv.Itoa(res.StatusCode))
		_, _ = io.Copy(io.Discard, res.Body) // what ends early shows at the next
		_ = res.Body.Close()
	}
}

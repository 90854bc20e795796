package connlimit

import "time"

// MaxAddresses bounds one generation of remembered addresses.
const MaxAddresses = maxAddresses

// Remembered returns how many addresses a limiter remembers.
func Remembered(l *Limiter) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rates.Len()
}

// WithPatience makes the limiter wait so long for who does not read.
func (l *Limiter) WithPatience(d time.Duration) *Limiter {
	l.patience = d
	return l
}

package audit

// Waiting returns how many entries were not written yet.
func (l *Log) Waiting() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines
}

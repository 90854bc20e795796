package healthwatch

// A Status is how a node is; the numbers are those of change lists
// (docs/protocol.md section 5).
type Status uint8

// The statuses, from the best to the worst.
const (
	_ Status = iota
	Up
	Suspect
	Down
)

// String returns "up", "suspect" or "down".
func (s Status) String() string {
	switch s {
	case Up:
		return "up"
	case Suspect:
		return "suspect"
	case Down:
		return "down"
	}
	return "unknown"
}

// A Reason is why a node's status has changed.
type Reason string

// The reasons.
const (
	HeartbeatLate    Reason = "heartbeat-late"    // one is due for an interval
	HeartbeatMissing Reason = "heartbeat-missing" // none for as many intervals as the rules allow
	ProbeFailed      Reason = "probe-failed"
	Unproven         Reason = "probe-unproven" // the endpoint has not shown the node's identity yet
	Recovered        Reason = "recovered"
)

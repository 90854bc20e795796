package cli

import "time"

// Moment reads the value of a flag that is a time in UTC, or how long ago that
// was; "" is the zero time.
func Moment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, nil
		}
	}
	return time.Time{}, Hint(Usage("--%s: %q is neither a time nor a duration", flag, text),
		"write how long ago, such as 90m or 24h, or a time in UTC, such as 2006-01-02T15:04:05Z")
}

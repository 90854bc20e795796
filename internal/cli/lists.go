package cli

import "strings"

// A List is a flag that takes values between commas, and may be repeated.
type List[T any] struct {
	Values *[]T
	Kind   string // for --help
	Parse  func(string) (T, error)
	Text   func(T) string
}

// String lists the values.
func (l List[T]) String() string { return strings.Join(l.GetSlice(), ",") }

// Set adds those of a list with commas.
func (l List[T]) Set(text string) error {
	for one := range strings.SplitSeq(text, ",") {
		if err := l.Append(one); err != nil {
			return err
		}
	}
	return nil
}

// Type names the kind, for --help.
func (l List[T]) Type() string { return l.Kind }

// Append adds one.
func (l List[T]) Append(text string) error {
	one, err := l.Parse(strings.TrimSpace(text))
	if err == nil {
		*l.Values = append(*l.Values, one)
	}
	return err
}

// Replace takes a whole list instead.
func (l List[T]) Replace(texts []string) error {
	*l.Values = nil
	return l.Set(strings.Join(texts, ","))
}

// GetSlice lists the values.
func (l List[T]) GetSlice() []string {
	var texts []string
	for _, one := range *l.Values {
		texts = append(texts, l.Text(one))
	}
	return texts
}

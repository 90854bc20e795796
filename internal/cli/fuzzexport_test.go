package cli

// ParseConfig reads a configuration file; it returns the texts of each member.
func ParseConfig(text []byte) (map[string][]string, error) {
	var s settings
	if err := s.parse(text); err != nil {
		return nil, err
	}
	items := map[string][]string{}
	for key, value := range s.values {
		texts, err := nodeItems(&value)
		if err != nil {
			return nil, err
		}
		items[key] = texts
	}
	return items, nil
}

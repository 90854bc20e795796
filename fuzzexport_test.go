package netget

import "github.com/neurons-me/netget/identity"

// LoadState reads node.state; ok is false when it was dropped, with a warning.
func LoadState(folder *identity.Folder, now int64) (epoch, sequence, iat int64, ok bool, err error) {
	state, warning, err := loadState(folder, now)
	return state.Epoch, state.Sequence, state.IAT, warning == "", err
}

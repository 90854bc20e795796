package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/spf13/pflag"
)

// A number is a flag that takes a number above zero.
type number[N int | int64 | float64] struct{ value *N }

// String returns the number.
func (n number[N]) String() string {
	if n.value == nil {
		return ""
	}
	return fmt.Sprint(*n.value)
}

// Set reads the number.
func (n number[N]) Set(text string) error {
	var err error
	switch v := any(n.value).(type) {
	case *float64:
		*v, err = strconv.ParseFloat(text, 64)
	case *int:
		*v, err = strconv.Atoi(text)
	case *int64:
		*v, err = strconv.ParseInt(text, 10, 64)
	}
	const most = 1e15 // also tells NaN and infinities from numbers
	if inside := *n.value > 0 && *n.value < most; err != nil || !inside {
		return fmt.Errorf("%q is not a number above 0", text)
	}
	return nil
}

// Type names the kind, for --help.
func (n number[N]) Type() string {
	if _, fraction := any(n.value).(*float64); fraction {
		return "number"
	}
	return "int"
}

// Positive defines a flag that takes a number above zero; otherwise is its
// default.
func Positive[N int | int64 | float64](flags *pflag.FlagSet, value *N, name string, otherwise N, usage string) {
	*value = otherwise
	flags.Var(number[N]{value}, name, usage)
}

// Prefixes defines a flag, which may be repeated, that takes IP addresses and
// networks in CIDR form.
func Prefixes(flags *pflag.FlagSet, value *[]netip.Prefix, name, usage string) {
	flags.Var(List[netip.Prefix]{
		Values: value, Kind: "address or network", Parse: ParsePrefix, Text: netip.Prefix.String,
	}, name, usage)
}

// ParsePrefix reads an address or a network. What could be a slip is refused: a
// network with bits behind its length, and everybody.
func ParsePrefix(text string) (netip.Prefix, error) {
	addr, err := netip.ParseAddr(text)
	if err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%q is neither an IP address nor a network such as 10.1.0.0/16", text)
	case p.Addr().Is4In6():
		return netip.Prefix{}, fmt.Errorf("%q: write IPv4 networks as IPv4", text)
	case p.Bits() == 0:
		return netip.Prefix{}, errors.New(text + " is everybody")
	case p != p.Masked():
		return netip.Prefix{}, fmt.Errorf("%q has bits behind its length: is it %s?", text, p.Masked())
	}
	return p, nil
}

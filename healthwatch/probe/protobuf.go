package probe

import "encoding/binary"

// The kinds of fields in protobuf's wire format.
const (
	wireVarint     = 0
	wireFixed64    = 1
	wireBytes      = 2
	wireGroup      = 3
	wireEndOfGroup = 4
	wireFixed32    = 5
)

const maxFieldNumber = 1<<29 - 1

// A field is one field of a protobuf message.
type field struct {
	number uint64
	wire   uint64
	varint uint64 // the value of a varint, the length of bytes
}

const errProtobuf = findingError("not a health check response")

// nextField reads the first field of a message, a group with all that is in it.
func nextField(b []byte) (first field, rest []byte, err error) {
	first, rest, err = oneField(b)
	var open []uint64 // the numbers of the groups around
	for f := first; err == nil; f, rest, err = oneField(rest) {
		switch {
		case f.wire == wireGroup:
			open = append(open, f.number)
		case f.wire == wireEndOfGroup && (len(open) == 0 || open[len(open)-1] != f.number):
			return field{}, nil, errProtobuf
		case f.wire == wireEndOfGroup:
			open = open[:len(open)-1]
		}
		if len(open) == 0 {
			return first, rest, nil
		}
	}
	return field{}, nil, err
}

// oneField reads a field, or the begin or end of a group.
func oneField(b []byte) (f field, rest []byte, err error) {
	tag, n := binary.Uvarint(b)
	if n <= 0 || tag>>3 == 0 || tag>>3 > maxFieldNumber {
		return field{}, nil, errProtobuf
	}
	f, b = field{number: tag >> 3, wire: tag & 7}, b[n:]
	size := uint64(0)
	switch f.wire {
	case wireGroup, wireEndOfGroup:
	case wireFixed64:
		size = 8
	case wireFixed32:
		size = 4
	case wireVarint, wireBytes:
		if f.varint, n = binary.Uvarint(b); n <= 0 {
			return field{}, nil, errProtobuf
		}
		if b = b[n:]; f.wire == wireBytes {
			size = f.varint
		}
	default:
		return field{}, nil, errProtobuf
	}
	if size > uint64(len(b)) {
		return field{}, nil, errProtobuf
	}
	return f, b[size:], nil
}

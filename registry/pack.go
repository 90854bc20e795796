package registry

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
)

const (
	maxStored  = 1<<16 - 1 // bytes of one stored block
	finalBlock = 1
)

// A packed is the beginning of a gzip member whose end is still open, so that
// one compressed body can be sent with many ends.
type packed struct {
	begin []byte // gzip header and deflate blocks up to a byte boundary
	crc   uint32
	size  uint32
}

// pack compresses body. Sources: RFC 1952 section 2.3 (the header: deflate, no
// name, no time, unknown system) and RFC 1951.
func pack(body []byte) (packed, error) {
	out := bytes.NewBuffer(make([]byte, 0, len(body)))
	out.Write([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255})
	w, err := flate.NewWriter(out, flate.BestSpeed)
	if err != nil {
		return packed{}, err
	}
	if _, err := w.Write(body); err != nil {
		return packed{}, err
	}
	if err := w.Flush(); err != nil { // ends with an empty stored block: a byte boundary
		return packed{}, err
	}
	return packed{bytes.Clone(out.Bytes()), crc32.ChecksumIEEE(body), uint32(len(body))}, nil //nolint:gosec // bodies have at most 32 MiB
}

// end returns what follows the packed beginning: tail as it is in stored blocks
// (RFC 1951 section 3.2.4), then checksum and length.
func (p packed) end(tail []byte) []byte {
	crc, size := crc32.Update(p.crc, crc32.IEEETable, tail), p.size+uint32(len(tail)) //nolint:gosec // modulo 2^32 by RFC 1952
	out := make([]byte, 0, len(tail)+5*(1+len(tail)/maxStored)+8)
	for {
		n := min(len(tail), maxStored)
		final := byte(0)
		if n == len(tail) {
			final = finalBlock
		}
		out = append(out, final)
		out = binary.LittleEndian.AppendUint16(out, uint16(n))
		out = binary.LittleEndian.AppendUint16(out, ^uint16(n))
		out = append(out, tail[:n]...)
		if tail = tail[n:]; final == finalBlock {
			break
		}
	}
	out = binary.LittleEndian.AppendUint32(out, crc)
	return binary.LittleEndian.AppendUint32(out, size)
}

package registry

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"slices"
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

// end returns what follows the packed beginning: parts as they are in stored
// blocks (RFC 1951 section 3.2.4), then checksum and length.
func (p packed) end(parts ...[]byte) []byte {
	const overhead = 5 // of a block
	room := overhead + 8
	for _, part := range parts {
		room += len(part) + overhead*(1+len(part)/maxStored)
	}
	out, crc, size := make([]byte, 0, room), p.crc, p.size
	for _, part := range parts {
		crc, size = crc32.Update(crc, crc32.IEEETable, part), size+uint32(len(part)) //nolint:gosec // modulo 2^32 by RFC 1952
		for block := range slices.Chunk(part, maxStored) {
			out = appendStored(out, 0, block)
		}
	}
	out = appendStored(out, finalBlock, nil)
	out = binary.LittleEndian.AppendUint32(out, crc)
	return binary.LittleEndian.AppendUint32(out, size)
}

func appendStored(out []byte, final byte, block []byte) []byte {
	n := uint16(len(block)) //nolint:gosec // at most maxStored
	out = append(out, final)
	out = binary.LittleEndian.AppendUint16(out, n)
	out = binary.LittleEndian.AppendUint16(out, ^n)
	return append(out, block...)
}

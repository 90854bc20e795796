package registry

// holdings are pieces of memory that responses wait to be rid of, each once
// however many responses share it.
type holdings struct {
	bytes int64
	parts map[*byte]holding // by their first byte
}

// A holding is one piece.
type holding struct {
	bytes   int64
	senders int
}

func newHoldings() holdings { return holdings{parts: map[*byte]holding{}} }

// add counts one sender of each part.
func (h *holdings) add(parts [][]byte) {
	for _, part := range parts {
		if len(part) == 0 {
			continue
		}
		p := h.parts[&part[0]]
		if p.senders == 0 {
			p.bytes = int64(len(part))
			h.bytes += p.bytes
		}
		p.senders++
		h.parts[&part[0]] = p
	}
}

// remove takes back what [holdings.add] has counted.
func (h *holdings) remove(parts [][]byte) {
	for _, part := range parts {
		if len(part) == 0 {
			continue
		}
		p := h.parts[&part[0]]
		if p.senders--; p.senders > 0 {
			h.parts[&part[0]] = p
			continue
		}
		h.bytes -= p.bytes
		delete(h.parts, &part[0])
	}
}

// holders are a heap ([container/heap]) with the one that keeps most bytes on
// top. Each knows its place in it.
type holders []*holder

// Len is of [sort.Interface], like Less and Swap.
func (hs holders) Len() int { return len(hs) }

// Less reports whether i comes before j.
func (hs holders) Less(i, j int) bool { return hs[i].parts.bytes > hs[j].parts.bytes }

// Swap exchanges two.
func (hs holders) Swap(i, j int) {
	hs[i], hs[j] = hs[j], hs[i]
	hs[i].place, hs[j].place = i, j
}

// Push adds a *holder at the end.
func (hs *holders) Push(x any) {
	if h, ok := x.(*holder); ok {
		h.place = len(*hs)
		*hs = append(*hs, h)
	}
}

// Pop takes the last one off.
func (hs *holders) Pop() any {
	last := len(*hs) - 1
	h := (*hs)[last]
	(*hs)[last] = nil
	*hs = (*hs)[:last]
	return h
}

// most returns the holder of most bytes and the one after it, as far as there
// are any.
func (hs holders) most() []*holder {
	top := hs[:min(len(hs), 3)]
	if len(top) == 3 && hs.Less(2, 1) {
		return []*holder{top[0], top[2]} // the second is one of the two below the first
	}
	return top[:min(len(top), 2)]
}

package auditlog

import (
	"context"

	"github.com/neurons-me/netget/internal/audit"
	"github.com/neurons-me/netget/internal/cli"
)

// A reading is one run of the command.
type reading struct {
	printer *cli.Printer
	filter  filter
	last    int // 0: all
	warn    func(audit.Skipped)

	list []audit.Entry
}

// past prints what is there and wanted.
func (r *reading) past(_ context.Context, file string) error {
	skipped, err := audit.Read(file, r.keep)
	for _, s := range skipped {
		r.warn(s)
	}
	if err != nil {
		return err
	}
	return r.printer.Print(entries{r.newest()})
}

// follow prints what is there, one a line, and then what comes until ctx ends.
func (r *reading) follow(ctx context.Context, file string) error {
	each := r.keep
	return audit.Follow(ctx, file, audit.Follower{
		Each: func(e audit.Entry) error { return each(e) },
		Present: func() error {
			each = r.print
			for _, e := range r.newest() {
				if err := r.print(e); err != nil {
					return err
				}
			}
			return nil
		},
		Skipped: r.warn,
	})
}

// keep remembers an entry that is wanted, and not many more than are.
func (r *reading) keep(e audit.Entry) error {
	if !r.filter.wants(e) {
		return nil
	}
	if r.last > 0 && len(r.list) >= 2*r.last {
		r.list = append(r.list[:0], r.newest()[1:]...)
	}
	r.list = append(r.list, e)
	return nil
}

func (r *reading) newest() []audit.Entry {
	if r.last > 0 && len(r.list) > r.last {
		return r.list[len(r.list)-r.last:]
	}
	return r.list
}

func (r *reading) print(e audit.Entry) error {
	if !r.filter.wants(e) {
		return nil
	}
	return r.printer.PrintLine(entry{e})
}

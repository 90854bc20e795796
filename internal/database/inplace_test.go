package database_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/neurons-me/netget/internal/database"
)

// Some look at a file that others make longer. Whoever was slower than another
// has seen less of it, and nothing was cut off.
func TestGrowingFileIsNotCutOff(t *testing.T) {
	const looking, most = 4, 20_000
	path := filepath.Join(t.TempDir(), "log")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	inPlace, err := database.InPlace(path)
	if err != nil {
		t.Fatal(err)
	}
	var lookers sync.WaitGroup
	for range looking {
		lookers.Go(func() {
			for range most {
				if _, err := f.Write([]byte{1}); err != nil {
					t.Error(err)
					return
				}
				if err := inPlace(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	lookers.Wait()
}

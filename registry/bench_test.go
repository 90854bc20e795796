package registry_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/neurons-me/netget/discovery"
	"github.com/neurons-me/netget/identity"
	"github.com/neurons-me/netget/internal/testca"
	"github.com/neurons-me/netget/registry"
)

// benchServer in the environment makes the test binary the server of the
// benchmark: what it costs is then the processor time of that process alone.
const benchServer = "NETGET_TEST_BENCH_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(benchServer) != "" {
		os.Exit(testing.MainStart(benchDeps{}, []testing.InternalTest{{Name: "serve", F: serveBenchmark}}, nil, nil, nil).Run())
	}
	os.Exit(m.Run())
}

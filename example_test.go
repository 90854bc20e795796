package netget_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/neurons-me/netget"
)

// A service registers, and is found until it closes. The context bounds the
// first registration; heartbeats and renewals go on in the background.
func ExampleNode_RegisterWithNetwork() {
	network := newExample() // an authority and a registry, as "netget-registry dev" runs them
	defer network.close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	node := netget.New(netget.Options{
		Identity:  network.enroll("databaseservice", "db-1"),
		Network:   "development",
		Metadata:  map[string]string{"name": "DatabaseService", "version": "1.4.2"},
		Endpoints: []netget.Endpoint{{Address: "10.0.0.7", Port: 5432}},
	})
	defer node.Close() // says goodbye to the registries
	if err := node.RegisterWithNetwork(ctx); err != nil {
		fmt.Println("not registered:", err)
		return
	}
	r, _ := node.Registration()
	fmt.Println(r.ID, "is registered at", len(r.Accepted), "registry")
	// Output: spiffe://development.netget.internal/databaseservice/db-1 is registered at 1 registry
}

// Whoever needs a service asks for one of its nodes when it connects. That
// there verifiably is none is something else than not to know.
func ExampleNode_DiscoverServiceNode() {
	network := newExample()
	defer network.close()
	network.register("databaseservice", "db-1", netget.Endpoint{Address: "10.0.0.7", Port: 5432})

	node := netget.New(netget.Options{Identity: network.enroll("client", "laptop"), NodeType: "client"})
	defer node.Close()
	for _, service := range []string{"DatabaseService", "mail"} {
		found, err := node.DiscoverServiceNode(context.Background(), service)
		switch {
		case errors.Is(err, netget.ErrNotFound):
			fmt.Println(service, "verifiably has no node")
		case err != nil:
			fmt.Println("nothing could be verified:", err)
		default:
			fmt.Printf("%s at %s:%d\n", found.Node, found.Endpoints[0].Address, found.Endpoints[0].Port)
		}
	}
	// Output:
	// db-1 at 10.0.0.7:5432
	// mail verifiably has no node
}

// Discover tells which registries answered, which did not and why, and of each
// node whether it may be used.
func ExampleNode_Discover() {
	network := newExample()
	defer network.close()
	network.register("databaseservice", "db-1", netget.Endpoint{Address: "10.0.0.7", Port: 5432})

	node := netget.New(netget.Options{Identity: network.enroll("client", "laptop")})
	defer node.Close()
	found, err := node.Discover(context.Background(), "databaseservice")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, n := range found.Nodes {
		fmt.Println(n.Node, "active:", n.Active, "status:", n.Status)
	}
	fmt.Println(len(found.Registries), "answered,", len(found.Errors), "did not")
	// Output:
	// db-1 active: true status: up
	// 1 answered, 0 did not
}

// Addresses of registries only say where to dial; which registries may answer
// there, the identity's authority decides.
func ExampleNode_AddRegistryNode() {
	node := netget.New(netget.Options{RegistryNodes: []string{"https://r1.example.org:8438"}})
	defer node.Close()
	if err := node.AddRegistryNode("https://r2.example.org"); err != nil {
		fmt.Println(err)
	}
	fmt.Println(node.AddRegistryNode("http://r3.example.org:8438"))
	fmt.Println(node.RegistryNodes())
	// Output:
	// malformed: "http://r3.example.org:8438" is not the address of a registry, such as https://registry.example.org:8438
	// [https://r1.example.org:8438 https://r2.example.org:8438]
}

// An example is a network of its own for one example.
type example struct {
	world *world
	left  []func() // what close does, last first
}

func newExample() *example {
	e := &example{}
	e.world = newWorld(e, "r1")
	return e
}

// enroll returns the identity folder of a new node.
func (e *example) enroll(service, label string) string { return e.world.folder(e, service, label) }

// register runs a node until the end of the example.
func (e *example) register(service, label string, at netget.Endpoint) {
	node := netget.New(netget.Options{Identity: e.enroll(service, label), Endpoints: []netget.Endpoint{at}})
	e.Cleanup(func() { _ = node.Close() })
	if err := node.RegisterWithNetwork(e.Context()); err != nil {
		e.Fatal(err)
	}
}

func (e *example) close() {
	for _, f := range slices.Backward(e.left) {
		f()
	}
}

// The methods of tb.

func (e *example) Helper()                           {}
func (e *example) Context() context.Context          { return context.Background() }
func (e *example) Cleanup(f func())                  { e.left = append(e.left, f) }
func (e *example) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (e *example) Fatal(args ...any)                 { panic(fmt.Sprint(args...)) }

func (e *example) TempDir() string {
	dir, err := os.MkdirTemp("", "netget-example-*")
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

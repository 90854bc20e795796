package netget_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/neurons-me/netget"
)

// A service registers for as long as it runs.
func ExampleNode_RegisterWithNetwork() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	node := netget.New(netget.Options{
		Network:   "development",
		Metadata:  map[string]string{"name": "DatabaseService", "version": "1.4.2"},
		Endpoints: []netget.Endpoint{{Address: "10.0.0.7", Port: 5432}},
		Check:     netget.Check{Type: "tcp"},
		Logger:    slog.Default(),
	})
	defer node.Close() // says goodbye to the registries
	if err := node.RegisterWithNetwork(ctx); err != nil {
		fmt.Println("not registered:", err)
		return
	}
	<-ctx.Done()
}

// A program that needs a service asks for one of its nodes each time it
// connects; the answer may come from a cache, and is verified in any case.
func ExampleNode_DiscoverServiceNode() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	node := netget.New(netget.Options{NodeType: "client"})
	defer node.Close()
	db, err := node.DiscoverServiceNode(ctx, "DatabaseService")
	switch {
	case errors.Is(err, netget.ErrNotFound):
		fmt.Println("there verifiably is none")
	case err != nil:
		fmt.Println("nothing could be verified:", err)
	default:
		fmt.Printf("%s at %s:%d\n", db.Node, db.Endpoints[0].Address, db.Endpoints[0].Port)
	}
}

// Discover tells which registries answered, which did not and why, and why a
// node should not be used.
func ExampleNode_Discover() {
	node := netget.New(netget.Options{})
	defer node.Close()
	found, err := node.Discover(context.Background(), "databaseservice")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range found.Errors {
		fmt.Println(e.URL, e.Code, e.Message)
	}
	for _, n := range found.Nodes {
		fmt.Println(n.Node, n.Active, n.Reason)
	}
}

// A service that serves HTTP to nodes of its network, and to nobody else.
func ExampleNode_TLSServer() {
	node := netget.New(netget.Options{})
	defer node.Close()
	config, err := node.TLSServer()
	if err != nil {
		fmt.Println(err)
		return
	}
	server := http.Server{Addr: ":8080", TLSConfig: config, ReadHeaderTimeout: 5 * time.Second}
	if err := server.ListenAndServeTLS("", ""); err != nil {
		fmt.Println(err)
	}
}

// Addresses of registries only say where to dial.
func ExampleNode_RegistryNodes() {
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

// Package netget lets a program join a network as a service node, and find
// other nodes without having to trust the directory that knows them.
//
// A [Node] acts with the identity of an identity folder, which `netget-client
// enroll` makes. It registers itself with every registry of its network, keeps
// the registration alive, and discovers others; whatever a registry answers is
// verified before it is returned. It fits into any framework: it serves
// nothing and owns no global state.
//
//	node := netget.New(netget.Options{
//		Network:   "development",
//		Endpoints: []netget.Endpoint{{Name: "default", Address: "10.0.0.7", Port: 5432, Protocol: "tcp"}},
//	})
//	defer node.Close()
//	if err := node.RegisterWithNetwork(ctx); err != nil { … }
//	db, err := node.DiscoverServiceNode(ctx, "databaseservice")
//
// [Node.Drain] asks that nobody new use the node; whoever does goes on.
package netget

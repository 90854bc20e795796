package registry

// Spend takes one from a limiter.
var Spend = spend

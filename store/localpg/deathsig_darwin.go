package localpg

import "syscall"

// dieWithUs does nothing: macOS has no parent-death signal. A server that is
// left behind is found and stopped by the next Open and Close of its folder.
func dieWithUs(*syscall.SysProcAttr, syscall.Signal) {}

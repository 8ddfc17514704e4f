package main

import "syscall"

// childAttributes make the child end with us, and leave Ctrl-C in the terminal to us
// alone: we decide when it ends.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

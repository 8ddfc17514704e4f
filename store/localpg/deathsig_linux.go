package localpg

import "syscall"

// dieWithUs makes the kernel send a signal when the thread that starts the
// process ends (prctl(2), PR_SET_PDEATHSIG).
func dieWithUs(attr *syscall.SysProcAttr, signal syscall.Signal) { attr.Pdeathsig = signal }

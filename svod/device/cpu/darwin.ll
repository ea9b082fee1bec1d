; What pool.ll needs to know of macOS.

@CLOCK_MONOTONIC = private unnamed_addr constant i32 6
@SIG_SETMASK = private unnamed_addr constant i32 3
@SIGBUS = private unnamed_addr constant i32 10
@MADV_HUGEPAGE = private unnamed_addr constant i32 -1

; The CPU this thread runs on: not told here.
define internal i64 @here() {
  ret i64 -1
}

; Moving between CPUs is the system's business here.
define internal void @leave(i64 %cpu) {
  ret void
}

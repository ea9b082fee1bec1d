; What pool.ll needs to know of Linux.

@CLOCK_MONOTONIC = private unnamed_addr constant i32 1
@SIG_SETMASK = private unnamed_addr constant i32 2
@SIGBUS = private unnamed_addr constant i32 7
@MADV_HUGEPAGE = private unnamed_addr constant i32 14

declare i32 @sched_getcpu()
declare i32 @sched_getaffinity(i32, i64, ptr)
declare i32 @sched_setaffinity(i32, i64, ptr)

; The CPU this thread runs on.
define internal i64 @here() {
  %cpu = call i32 @sched_getcpu()
  %wide = sext i32 %cpu to i64
  ret i64 %wide
}

; Move this thread to another CPU, if it runs on this one and may run elsewhere: forbid this one, and allow it again.
define internal void @leave(i64 %cpu) {
entry:
  %allowed = alloca [16 x i64], align 16
  %now = call i64 @here()
  %same = icmp eq i64 %now, %cpu
  %in.range = icmp ult i64 %cpu, 1024
  %stuck = and i1 %same, %in.range
  br i1 %stuck, label %read, label %done
read:
  call void @llvm.memset.p0.i64(ptr %allowed, i8 0, i64 128, i1 false)
  %bytes = call i32 @sched_getaffinity(i32 0, i64 128, ptr %allowed)
  %read.ok = icmp sge i32 %bytes, 0
  br i1 %read.ok, label %move, label %done
move:
  %word = lshr i64 %cpu, 6
  %bit = and i64 %cpu, 63
  %place = getelementptr [16 x i64], ptr %allowed, i64 0, i64 %word
  %old = load i64, ptr %place
  %one = shl i64 1, %bit
  %others = xor i64 %one, -1
  %new = and i64 %old, %others
  store i64 %new, ptr %place
  %moved = call i32 @sched_setaffinity(i32 0, i64 128, ptr %allowed) ; refused if it was the only one
  store i64 %old, ptr %place
  %restored = call i32 @sched_setaffinity(i32 0, i64 128, ptr %allowed)
  br label %done
done:
  ret void
}

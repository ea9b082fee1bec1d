; The worker pool: cores of one launch spread over threads that spin briefly, then sleep.
;
; A launch runs `phases` times: publish one bit for each slot, let every thread claim bits, wait until all slots have finished. A slot is a
; run of neighbouring cores (one core while there are at most 64). A claim is one compare-and-swap on `open`, so it succeeds on a slot of the
; launch under way only, and the fields of the job cannot change before the claimed slot has finished: a worker that wakes late finds no bit
; and does nothing, and a caller whose workers sleep runs every slot itself. Thread t prefers slot t: the same CPU sees the same data again.
;
; Sleeping, both ways, is the flag-then-look-again protocol, sequentially consistent: a sleeper raises its flag before it looks a last time,
; a waker makes the change before it looks at the flag.
;
; native.py puts in front: @pause, and linux.ll or darwin.ll.

%Pool = type {
  ; 0: the job, read by a worker after a claim; one cache line with the bits that announce it
  i64,        ;  0 open: bit s is set while slot s of this phase is unclaimed
  ptr,        ;  1 entry
  ptr,        ;  2 args
  i64,        ;  3 cores
  i32,        ;  4 phase
  i32,        ;  5 private scratch belongs to 0: the core, 1: the thread
  ptr,        ;  6 shared
  ptr,        ;  7 private
  i64,        ;  8 bytes from one private scratch to the next
  [64 x i8],
  ; 128: progress, written by whoever finishes a slot
  i64,        ; 10 finished: slots of this phase done by workers
  i64,        ; 11 waiting: 1 while the caller sleeps until they are
  [112 x i8],
  ; 256: sleep
  i64,        ; 13 parked: workers asleep, or about to be
  i64,        ; 14 quit
  i64,        ; 15 CPU of the caller that woke workers last
  [104 x i8],
  ; 384: ownership and constants
  i64,        ; 17 busy: 1 while a launch owns the pool
  i64,        ; 18 started: 0 not yet, else 1 + number of workers
  i64,        ; 19 threads, the caller included: at most 64
  i64,        ; 20 spin: nanoseconds before a thread goes to sleep
  i64,        ; 21 keep: scratch blocks above this many bytes go back to the system after use
  i64,        ; 22 launches spread over the pool
  [80 x i8],
  ; 512: pthread objects, with room for the largest of any system
  [64 x i8],  ; 24 mutex
  [64 x i8],  ; 25 condition of sleeping workers
  [64 x i8],  ; 26 condition of the waiting caller
  [8 x ptr],  ; 27 free scratch blocks
  [64 x i64]  ; 28 pthread_t of worker t
}
; The address is a multiple of 4096: a worker gets pool + its thread number as its one argument.

declare i32 @posix_memalign(ptr, i64, i64)
declare void @free(ptr)
declare i32 @madvise(ptr, i64, i32)
declare i32 @clock_gettime(i32, ptr)
declare i32 @sched_yield()
declare i32 @sigfillset(ptr)
declare i32 @sigdelset(ptr, i32)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_join(i64, ptr)
declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_cond_signal(ptr)
declare i32 @pthread_cond_broadcast(ptr)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare i64 @llvm.umin.i64(i64, i64)
declare i64 @llvm.cttz.i64(i64, i1)
declare { i64, i1 } @llvm.umul.with.overflow.i64(i64, i64)
declare { i64, i1 } @llvm.uadd.with.overflow.i64(i64, i64)

; ---- life of a pool ----

; A pool of `threads` threads (1 to 64, the caller counts) without any worker yet; null if there is no memory.
define ptr @svod_pool_create(i64 %threads, i64 %spin, i64 %keep) {
  %place = alloca ptr
  %failed = call i32 @posix_memalign(ptr %place, i64 4096, i64 4096)
  %bad = icmp ne i32 %failed, 0
  br i1 %bad, label %none, label %made
none:
  ret ptr null
made:
  %pool = load ptr, ptr %place
  call void @llvm.memset.p0.i64(ptr %pool, i8 0, i64 4096, i1 false)
  %threads.p = getelementptr %Pool, ptr %pool, i32 0, i32 19
  store i64 %threads, ptr %threads.p
  %spin.p = getelementptr %Pool, ptr %pool, i32 0, i32 20
  store i64 %spin, ptr %spin.p
  %keep.p = getelementptr %Pool, ptr %pool, i32 0, i32 21
  store i64 %keep, ptr %keep.p
  call void @svod_pool_reset(ptr %pool)
  ret ptr %pool
}

; Forget workers and launches: the state of a new pool, and of one in a forked child, where no thread but the caller exists.
define void @svod_pool_reset(ptr %pool) {
  %open.p = getelementptr %Pool, ptr %pool, i32 0, i32 0
  store i64 0, ptr %open.p
  %finished.p = getelementptr %Pool, ptr %pool, i32 0, i32 10
  store i64 0, ptr %finished.p
  %waiting.p = getelementptr %Pool, ptr %pool, i32 0, i32 11
  store i64 0, ptr %waiting.p
  %parked.p = getelementptr %Pool, ptr %pool, i32 0, i32 13
  store i64 0, ptr %parked.p
  %quit.p = getelementptr %Pool, ptr %pool, i32 0, i32 14
  store i64 0, ptr %quit.p
  %busy.p = getelementptr %Pool, ptr %pool, i32 0, i32 17
  store i64 0, ptr %busy.p
  %started.p = getelementptr %Pool, ptr %pool, i32 0, i32 18
  store i64 0, ptr %started.p
  %mutex = getelementptr %Pool, ptr %pool, i32 0, i32 24
  %m = call i32 @pthread_mutex_init(ptr %mutex, ptr null)
  %work = getelementptr %Pool, ptr %pool, i32 0, i32 25
  %w = call i32 @pthread_cond_init(ptr %work, ptr null)
  %done = getelementptr %Pool, ptr %pool, i32 0, i32 26
  %d = call i32 @pthread_cond_init(ptr %done, ptr null)
  ret void
}

; End and join the workers once no launch is under way, and free the scratch. The next launch starts new workers.
define void @svod_pool_stop(ptr %pool) {
entry:
  %busy.p = getelementptr %Pool, ptr %pool, i32 0, i32 17
  %started.p = getelementptr %Pool, ptr %pool, i32 0, i32 18
  %quit.p = getelementptr %Pool, ptr %pool, i32 0, i32 14
  %mutex = getelementptr %Pool, ptr %pool, i32 0, i32 24
  %work = getelementptr %Pool, ptr %pool, i32 0, i32 25
  br label %take
take:
  %old = cmpxchg ptr %busy.p, i64 0, i64 1 acquire monotonic
  %mine = extractvalue { i64, i1 } %old, 1
  br i1 %mine, label %owned, label %again
again:
  %y = call i32 @sched_yield()
  br label %take
owned:
  store atomic i64 1, ptr %quit.p seq_cst, align 8
  %l = call i32 @pthread_mutex_lock(ptr %mutex)
  %b = call i32 @pthread_cond_broadcast(ptr %work)
  %u = call i32 @pthread_mutex_unlock(ptr %mutex)
  %started = load i64, ptr %started.p
  br label %next
next:
  %t = phi i64 [ 1, %owned ], [ %t1, %join ]
  %more = icmp ult i64 %t, %started
  br i1 %more, label %join, label %joined
join:
  %handle.p = getelementptr %Pool, ptr %pool, i32 0, i32 28, i64 %t
  %handle = load i64, ptr %handle.p
  %j = call i32 @pthread_join(i64 %handle, ptr null)
  %t1 = add i64 %t, 1
  br label %next
joined:
  store i64 0, ptr %quit.p
  store i64 0, ptr %started.p
  call void @svod_pool_trim(ptr %pool)
  store atomic i64 0, ptr %busy.p release, align 8
  ret void
}

; Stop, and free the pool itself.
define void @svod_pool_destroy(ptr %pool) {
  call void @svod_pool_stop(ptr %pool)
  call void @free(ptr %pool)
  ret void
}

; Start the workers, with every signal blocked but those a fault raises: Python's handlers run in the threads that had them.
define internal void @start(ptr %pool) {
entry:
  %all = alloca [128 x i8], align 16
  %before = alloca [128 x i8], align 16
  %threads.p = getelementptr %Pool, ptr %pool, i32 0, i32 19
  %threads = load i64, ptr %threads.p
  %base = ptrtoint ptr %pool to i64
  %how = load i32, ptr @SIG_SETMASK
  %bus = load i32, ptr @SIGBUS
  %f = call i32 @sigfillset(ptr %all)
  %ill = call i32 @sigdelset(ptr %all, i32 4)
  %trap = call i32 @sigdelset(ptr %all, i32 5)
  %abrt = call i32 @sigdelset(ptr %all, i32 6)
  %fpe = call i32 @sigdelset(ptr %all, i32 8)
  %segv = call i32 @sigdelset(ptr %all, i32 11)
  %b = call i32 @sigdelset(ptr %all, i32 %bus)
  %s = call i32 @pthread_sigmask(i32 %how, ptr %all, ptr %before)
  %cpu = call i64 @here()
  %cpu.p = getelementptr %Pool, ptr %pool, i32 0, i32 15
  store atomic i64 %cpu, ptr %cpu.p monotonic, align 8
  br label %next
next:
  %t = phi i64 [ 1, %entry ], [ %t1, %made ]
  %more = icmp ult i64 %t, %threads
  br i1 %more, label %make, label %done
make:
  %handle = getelementptr %Pool, ptr %pool, i32 0, i32 28, i64 %t
  %both = add i64 %base, %t
  %argument = inttoptr i64 %both to ptr
  %failed = call i32 @pthread_create(ptr %handle, ptr null, ptr @worker, ptr %argument)
  %bad = icmp ne i32 %failed, 0
  br i1 %bad, label %done, label %made
made:
  %t1 = add i64 %t, 1
  br label %next
done:
  %started.p = getelementptr %Pool, ptr %pool, i32 0, i32 18
  store i64 %t, ptr %started.p
  %r = call i32 @pthread_sigmask(i32 %how, ptr %before, ptr null)
  ret void
}

; ---- launches ----

; Run a kernel, spread over the pool if it is free and the launch has several cores, else on this thread.
; 0: done; 1: no memory for the scratch, nothing ran.
define i32 @svod_pool_run(ptr %pool, ptr %entry.f, ptr %args, i64 %cores, i64 %phases, i64 %shared, i64 %private) {
entry:
  %threads.p = getelementptr %Pool, ptr %pool, i32 0, i32 19
  %threads = load i64, ptr %threads.p
  %several = icmp ugt i64 %cores, 1
  %others = icmp ugt i64 %threads, 1
  %spread = and i1 %several, %others
  br i1 %spread, label %own, label %alone
own:
  %busy.p = getelementptr %Pool, ptr %pool, i32 0, i32 17
  %old = cmpxchg ptr %busy.p, i64 0, i64 1 acquire monotonic
  %mine = extractvalue { i64, i1 } %old, 1
  br i1 %mine, label %owned, label %alone
owned:
  %started.p = getelementptr %Pool, ptr %pool, i32 0, i32 18
  %started = load i64, ptr %started.p
  switch i64 %started, label %ready [ i64 0, label %first
                                      i64 1, label %nobody ]
first:
  call void @start(ptr %pool)
  %now = load i64, ptr %started.p
  %none = icmp eq i64 %now, 1
  br i1 %none, label %nobody, label %ready
nobody: ; the system gives no threads
  store atomic i64 0, ptr %busy.p release, align 8
  br label %alone
alone:
  %s = call i32 @svod_pool_serial(ptr %pool, ptr %entry.f, ptr %args, i64 %cores, i64 %phases, i64 %shared, i64 %private)
  ret i32 %s
ready:
  ; what one phase leaves in private scratch, the next may read: a thread can reuse its scratch for another core only in the last phase
  %single = icmp eq i64 %phases, 1
  %crowded = icmp ugt i64 %cores, %threads
  %by.thread = and i1 %single, %crowded
  %copies = select i1 %by.thread, i64 %threads, i64 %cores
  %stride = call i64 @round64(i64 %private)
  %shared64 = call i64 @round64(i64 %shared)
  %block = call ptr @take(ptr %pool, i64 %shared64, i64 %stride, i64 %copies)
  %bad = icmp eq ptr %block, null
  br i1 %bad, label %nomem, label %post
nomem:
  store atomic i64 0, ptr %busy.p release, align 8
  ret i32 1
post:
  %scratch = call ptr @memory_of(ptr %pool, ptr %block)
  %privates = getelementptr i8, ptr %scratch, i64 %shared64
  %owner = zext i1 %by.thread to i32
  %entry.p = getelementptr %Pool, ptr %pool, i32 0, i32 1
  store ptr %entry.f, ptr %entry.p
  %args.p = getelementptr %Pool, ptr %pool, i32 0, i32 2
  store ptr %args, ptr %args.p
  %cores.p = getelementptr %Pool, ptr %pool, i32 0, i32 3
  store i64 %cores, ptr %cores.p
  %owner.p = getelementptr %Pool, ptr %pool, i32 0, i32 5
  store i32 %owner, ptr %owner.p
  %shared.p = getelementptr %Pool, ptr %pool, i32 0, i32 6
  store ptr %scratch, ptr %shared.p
  %private.p = getelementptr %Pool, ptr %pool, i32 0, i32 7
  store ptr %privates, ptr %private.p
  %stride.p = getelementptr %Pool, ptr %pool, i32 0, i32 8
  store i64 %stride, ptr %stride.p
  %launches.p = getelementptr %Pool, ptr %pool, i32 0, i32 22
  %launches = load i64, ptr %launches.p
  %launches1 = add i64 %launches, 1
  store i64 %launches1, ptr %launches.p
  br label %phase
phase:
  %p = phi i64 [ 0, %post ], [ %p1, %phase ]
  call void @run_phase(ptr %pool, i64 %p)
  %p1 = add i64 %p, 1
  %more = icmp ult i64 %p1, %phases
  br i1 %more, label %phase, label %done
done:
  call void @put(ptr %pool, ptr %block)
  store atomic i64 0, ptr %busy.p release, align 8
  ret i32 0
}

; The same on this thread alone.
define i32 @svod_pool_serial(ptr %pool, ptr %entry.f, ptr %args, i64 %cores, i64 %phases, i64 %shared, i64 %private) {
entry:
  %single = icmp eq i64 %phases, 1
  %copies = select i1 %single, i64 1, i64 %cores
  %stride = call i64 @round64(i64 %private)
  %step = select i1 %single, i64 0, i64 %stride
  %shared64 = call i64 @round64(i64 %shared)
  %block = call ptr @take(ptr %pool, i64 %shared64, i64 %stride, i64 %copies)
  %bad = icmp eq ptr %block, null
  br i1 %bad, label %nomem, label %go
nomem:
  ret i32 1
go:
  %scratch = call ptr @memory_of(ptr %pool, ptr %block)
  %privates = getelementptr i8, ptr %scratch, i64 %shared64
  br label %phase
phase:
  %p = phi i64 [ 0, %go ], [ %p1, %next ]
  br label %core
core:
  %c = phi i64 [ 0, %phase ], [ %c1, %core ]
  %offset = mul i64 %c, %step
  %own = getelementptr i8, ptr %privates, i64 %offset
  call void %entry.f(ptr %args, i64 %c, i64 %p, ptr %scratch, ptr %own)
  %c1 = add i64 %c, 1
  %more = icmp ult i64 %c1, %cores
  br i1 %more, label %core, label %next
next:
  %p1 = add i64 %p, 1
  %again = icmp ult i64 %p1, %phases
  br i1 %again, label %phase, label %done
done:
  call void @put(ptr %pool, ptr %block)
  ret i32 0
}

; One phase of the job in the pool, the caller taking part as thread 0. Slot 0 is its own from the start.
define internal void @run_phase(ptr %pool, i64 %phase) {
entry:
  %phase.p = getelementptr %Pool, ptr %pool, i32 0, i32 4
  %phase32 = trunc i64 %phase to i32
  store i32 %phase32, ptr %phase.p
  %finished.p = getelementptr %Pool, ptr %pool, i32 0, i32 10
  store atomic i64 0, ptr %finished.p monotonic, align 8
  %cores.p = getelementptr %Pool, ptr %pool, i32 0, i32 3
  %cores = load i64, ptr %cores.p
  %slots = call i64 @llvm.umin.i64(i64 %cores, i64 64)
  %unused = sub i64 64, %slots
  %all = lshr i64 -1, %unused
  %rest = and i64 %all, -2
  %open.p = getelementptr %Pool, ptr %pool, i32 0, i32 0
  store atomic i64 %rest, ptr %open.p seq_cst, align 64
  %parked.p = getelementptr %Pool, ptr %pool, i32 0, i32 13
  %parked = load atomic i64, ptr %parked.p seq_cst, align 8
  %asleep = icmp ne i64 %parked, 0
  br i1 %asleep, label %rouse, label %first
rouse:
  %cpu = call i64 @here()
  %cpu.p = getelementptr %Pool, ptr %pool, i32 0, i32 15
  store atomic i64 %cpu, ptr %cpu.p monotonic, align 8
  %useful = sub i64 %slots, 1
  %count = call i64 @llvm.umin.i64(i64 %parked, i64 %useful)
  call void @wake(ptr %pool, i64 %count)
  br label %first
first:
  call void @run_slot(ptr %pool, i64 0, i64 0)
  br label %look
look:
  %left = phi i64 [ %slots, %first ], [ %left1, %slot ]
  %left1 = sub i64 %left, 1
  %s = call i64 @claim(ptr %pool, i64 0)
  %empty = icmp slt i64 %s, 0
  br i1 %empty, label %wait, label %slot
slot:
  call void @run_slot(ptr %pool, i64 %s, i64 0)
  br label %look
wait:
  call void @await_finish(ptr %pool, i64 %left1)
  ret void
}

; Take a slot for thread t: its own if that is open, else the lowest; -1 if none is.
define internal i64 @claim(ptr %pool, i64 %t) {
entry:
  %open.p = getelementptr %Pool, ptr %pool, i32 0, i32 0
  %own = shl i64 1, %t
  %first = load atomic i64, ptr %open.p monotonic, align 64
  br label %try
try:
  %open = phi i64 [ %first, %entry ], [ %seen, %pick ]
  %empty = icmp eq i64 %open, 0
  br i1 %empty, label %none, label %pick
pick:
  %negated = sub i64 0, %open
  %lowest = and i64 %open, %negated
  %mine = and i64 %open, %own
  %is.open = icmp ne i64 %mine, 0
  %bit = select i1 %is.open, i64 %mine, i64 %lowest
  %rest = xor i64 %open, %bit
  %swap = cmpxchg weak ptr %open.p, i64 %open, i64 %rest acq_rel monotonic, align 64
  %seen = extractvalue { i64, i1 } %swap, 0
  %got = extractvalue { i64, i1 } %swap, 1
  br i1 %got, label %taken, label %try
taken:
  %slot = call i64 @llvm.cttz.i64(i64 %bit, i1 true)
  ret i64 %slot
none:
  ret i64 -1
}

; The cores of one slot, on thread t.
define internal void @run_slot(ptr %pool, i64 %slot, i64 %t) {
entry:
  %entry.p = getelementptr %Pool, ptr %pool, i32 0, i32 1
  %entry.f = load ptr, ptr %entry.p
  %args.p = getelementptr %Pool, ptr %pool, i32 0, i32 2
  %args = load ptr, ptr %args.p
  %cores.p = getelementptr %Pool, ptr %pool, i32 0, i32 3
  %cores = load i64, ptr %cores.p
  %phase.p = getelementptr %Pool, ptr %pool, i32 0, i32 4
  %phase32 = load i32, ptr %phase.p
  %phase = zext i32 %phase32 to i64
  %owner.p = getelementptr %Pool, ptr %pool, i32 0, i32 5
  %owner = load i32, ptr %owner.p
  %by.thread = icmp ne i32 %owner, 0
  %shared.p = getelementptr %Pool, ptr %pool, i32 0, i32 6
  %shared = load ptr, ptr %shared.p
  %private.p = getelementptr %Pool, ptr %pool, i32 0, i32 7
  %private = load ptr, ptr %private.p
  %stride.p = getelementptr %Pool, ptr %pool, i32 0, i32 8
  %stride = load i64, ptr %stride.p
  %few = icmp ule i64 %cores, 64
  br i1 %few, label %one, label %many
one:
  %slot1 = add i64 %slot, 1
  br label %core
many: ; slot s of 64 holds the cores from s/64 to (s+1)/64 of them
  %parts = udiv i64 %cores, 64
  %extra = urem i64 %cores, 64
  %low = mul i64 %slot, %parts
  %bonus = call i64 @llvm.umin.i64(i64 %slot, i64 %extra)
  %from = add i64 %low, %bonus
  %gets.more = icmp ult i64 %slot, %extra
  %plus = zext i1 %gets.more to i64
  %size = add i64 %parts, %plus
  %to = add i64 %from, %size
  br label %core
core:
  %c = phi i64 [ %slot, %one ], [ %from, %many ], [ %c1, %core ]
  %end = phi i64 [ %slot1, %one ], [ %to, %many ], [ %end, %core ]
  %index = select i1 %by.thread, i64 %t, i64 %c
  %offset = mul i64 %index, %stride
  %own = getelementptr i8, ptr %private, i64 %offset
  call void %entry.f(ptr %args, i64 %c, i64 %phase, ptr %shared, ptr %own)
  %c1 = add i64 %c, 1
  %more = icmp ult i64 %c1, %end
  br i1 %more, label %core, label %done
done:
  ret void
}

; ---- waiting ----

; What a worker does from its first moment to its last.
define internal ptr @worker(ptr %argument) {
entry:
  %both = ptrtoint ptr %argument to i64
  %t = and i64 %both, 4095
  %base = and i64 %both, -4096
  %pool = inttoptr i64 %base to ptr
  call void @leave_caller(ptr %pool)
  br label %look
look:
  %s = call i64 @claim(ptr %pool, i64 %t)
  %empty = icmp slt i64 %s, 0
  br i1 %empty, label %rest, label %slot
slot:
  call void @run_slot(ptr %pool, i64 %s, i64 %t)
  call void @finish(ptr %pool)
  br label %look
rest:
  %quit = call i1 @await_work(ptr %pool)
  br i1 %quit, label %end, label %look
end:
  ret ptr null
}

; Count a slot done by a worker, and wake the caller if it sleeps.
define internal void @finish(ptr %pool) {
entry:
  %finished.p = getelementptr %Pool, ptr %pool, i32 0, i32 10
  %before = atomicrmw add ptr %finished.p, i64 1 seq_cst
  %waiting.p = getelementptr %Pool, ptr %pool, i32 0, i32 11
  %waiting = load atomic i64, ptr %waiting.p seq_cst, align 8
  %asleep = icmp ne i64 %waiting, 0
  br i1 %asleep, label %rouse, label %done
rouse:
  %mutex = getelementptr %Pool, ptr %pool, i32 0, i32 24
  %cond = getelementptr %Pool, ptr %pool, i32 0, i32 26
  %l = call i32 @pthread_mutex_lock(ptr %mutex)
  %s = call i32 @pthread_cond_signal(ptr %cond)
  %u = call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %done
done:
  ret void
}

; Return when `target` slots have been finished by workers: spin, then sleep.
define internal void @await_finish(ptr %pool, i64 %target) {
entry:
  %finished.p = getelementptr %Pool, ptr %pool, i32 0, i32 10
  %waiting.p = getelementptr %Pool, ptr %pool, i32 0, i32 11
  %mutex = getelementptr %Pool, ptr %pool, i32 0, i32 24
  %cond = getelementptr %Pool, ptr %pool, i32 0, i32 26
  %spin.p = getelementptr %Pool, ptr %pool, i32 0, i32 20
  %spin = load i64, ptr %spin.p
  br label %look
look:
  %deadline = phi i64 [ 0, %entry ], [ %until, %pace ]
  %i = phi i64 [ 0, %entry ], [ %i1, %pace ]
  %n = load atomic i64, ptr %finished.p acquire, align 8
  %enough = icmp eq i64 %n, %target
  br i1 %enough, label %done, label %idle
idle:
  call void @pause()
  %i1 = add i64 %i, 1
  %until = call i64 @patience(i64 %i1, i64 %deadline, i64 %spin)
  br label %pace
pace:
  %over = icmp slt i64 %until, 0
  br i1 %over, label %sleep, label %look
sleep:
  %l = call i32 @pthread_mutex_lock(ptr %mutex)
  store atomic i64 1, ptr %waiting.p seq_cst, align 8
  br label %check
check:
  %m = load atomic i64, ptr %finished.p seq_cst, align 8
  %all = icmp eq i64 %m, %target
  br i1 %all, label %awake, label %doze
doze:
  %w = call i32 @pthread_cond_wait(ptr %cond, ptr %mutex)
  br label %check
awake:
  store atomic i64 0, ptr %waiting.p monotonic, align 8
  %u = call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %done
done:
  ret void
}

; Return when there may be a slot to claim (false) or the pool ends (true): spin, then sleep. Who has slept spins before the next sleep.
define internal i1 @await_work(ptr %pool) {
entry:
  %open.p = getelementptr %Pool, ptr %pool, i32 0, i32 0
  %parked.p = getelementptr %Pool, ptr %pool, i32 0, i32 13
  %quit.p = getelementptr %Pool, ptr %pool, i32 0, i32 14
  %mutex = getelementptr %Pool, ptr %pool, i32 0, i32 24
  %cond = getelementptr %Pool, ptr %pool, i32 0, i32 25
  %spin.p = getelementptr %Pool, ptr %pool, i32 0, i32 20
  %spin = load i64, ptr %spin.p
  br label %look
look:
  %deadline = phi i64 [ 0, %entry ], [ %until, %idle ], [ 0, %awake ]
  %i = phi i64 [ 0, %entry ], [ %i1, %idle ], [ 0, %awake ]
  %open = load atomic i64, ptr %open.p acquire, align 64
  %some = icmp ne i64 %open, 0
  br i1 %some, label %work, label %ending
ending:
  %q = load atomic i64, ptr %quit.p acquire, align 8
  %over = icmp ne i64 %q, 0
  br i1 %over, label %end, label %idle
idle:
  call void @pause()
  %i1 = add i64 %i, 1
  %until = call i64 @patience(i64 %i1, i64 %deadline, i64 %spin)
  %enough = icmp slt i64 %until, 0
  br i1 %enough, label %park, label %look
park:
  %l = call i32 @pthread_mutex_lock(ptr %mutex)
  %p = atomicrmw add ptr %parked.p, i64 1 seq_cst
  %open2 = load atomic i64, ptr %open.p seq_cst, align 64
  %quit2 = load atomic i64, ptr %quit.p seq_cst, align 8
  %any = or i64 %open2, %quit2
  %nothing = icmp eq i64 %any, 0
  br i1 %nothing, label %doze, label %awake
doze:
  %w = call i32 @pthread_cond_wait(ptr %cond, ptr %mutex)
  br label %awake
awake:
  %r = atomicrmw sub ptr %parked.p, i64 1 seq_cst
  %u = call i32 @pthread_mutex_unlock(ptr %mutex)
  call void @leave_caller(ptr %pool)
  br label %look
work:
  ret i1 false
end:
  ret i1 true
}

; Away from the CPU of the caller who woke this worker. Linux may wake a worker there while another CPU idles, and then does so again and
; again: 17 us instead of 5 for each launch were measured, as each of the two waits for the other to go to sleep.
define internal void @leave_caller(ptr %pool) {
  %cpu.p = getelementptr %Pool, ptr %pool, i32 0, i32 15
  %cpu = load atomic i64, ptr %cpu.p monotonic, align 8
  call void @leave(i64 %cpu)
  ret void
}

; Wake `count` workers.
define internal void @wake(ptr %pool, i64 %count) {
entry:
  %mutex = getelementptr %Pool, ptr %pool, i32 0, i32 24
  %cond = getelementptr %Pool, ptr %pool, i32 0, i32 25
  %l = call i32 @pthread_mutex_lock(ptr %mutex)
  %u = call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i1, %next ]
  %s = call i32 @pthread_cond_signal(ptr %cond)
  %i1 = add i64 %i, 1
  %more = icmp ult i64 %i1, %count
  br i1 %more, label %next, label %done
done:
  ret void
}

; The deadline of a wait that has looked i times: 0 before the clock was read first, negative when it has passed. Each 64th look reads it.
define internal i64 @patience(i64 %i, i64 %deadline, i64 %spin) {
entry:
  %time = alloca [2 x i64]
  %low = and i64 %i, 63
  %skip = icmp ne i64 %low, 0
  br i1 %skip, label %same, label %read
same:
  ret i64 %deadline
read:
  %clock = load i32, ptr @CLOCK_MONOTONIC
  %e = call i32 @clock_gettime(i32 %clock, ptr %time)
  %seconds = load i64, ptr %time
  %nanos.p = getelementptr i64, ptr %time, i64 1
  %nanos = load i64, ptr %nanos.p
  %scaled = mul i64 %seconds, 1000000000
  %now = add i64 %scaled, %nanos
  %unset = icmp eq i64 %deadline, 0
  %fresh = add i64 %now, %spin
  %passed = icmp sgt i64 %now, %deadline
  %later = select i1 %passed, i64 -1, i64 %deadline
  %result = select i1 %unset, i64 %fresh, i64 %later
  ret i64 %result
}

; ---- scratch ----
; A block is 64 bytes of head (its size without the head) and 64-byte aligned memory behind them.

define internal i64 @round64(i64 %bytes) {
  %up = add i64 %bytes, 63
  %r = and i64 %up, -64
  ret i64 %r
}

; A block for `shared` and `copies` times `private` bytes: a kept one that is large enough, else a new one; null if there is no memory.
; Without scratch the pool itself stands for the block.
define internal ptr @take(ptr %pool, i64 %shared, i64 %private, i64 %copies) {
entry:
  %mul = call { i64, i1 } @llvm.umul.with.overflow.i64(i64 %private, i64 %copies)
  %product = extractvalue { i64, i1 } %mul, 0
  %mul.over = extractvalue { i64, i1 } %mul, 1
  %add = call { i64, i1 } @llvm.uadd.with.overflow.i64(i64 %product, i64 %shared)
  %need = extractvalue { i64, i1 } %add, 0
  %add.over = extractvalue { i64, i1 } %add, 1
  %over = or i1 %mul.over, %add.over
  %huge = icmp ugt i64 %need, 4611686018427387904
  %absurd = or i1 %over, %huge
  br i1 %absurd, label %nomem, label %sane
nomem:
  ret ptr null
sane:
  %nothing = icmp eq i64 %need, 0
  br i1 %nothing, label %none, label %search
none:
  ret ptr %pool
search:
  %i = phi i64 [ 0, %sane ], [ %i1, %next ]
  %place = getelementptr %Pool, ptr %pool, i32 0, i32 27, i64 %i
  %there = load atomic i64, ptr %place monotonic, align 8
  %vacant = icmp eq i64 %there, 0
  br i1 %vacant, label %next, label %grab
grab:
  %bits = atomicrmw xchg ptr %place, i64 0 acq_rel
  %gone = icmp eq i64 %bits, 0
  br i1 %gone, label %next, label %have
have:
  %block = inttoptr i64 %bits to ptr
  %size = load i64, ptr %block
  %fits = icmp uge i64 %size, %need
  br i1 %fits, label %found, label %small
found:
  ret ptr %block
small: ; a larger one takes its place
  call void @free(ptr %block)
  br label %next
next:
  %i1 = add i64 %i, 1
  %more = icmp ult i64 %i1, 8
  br i1 %more, label %search, label %new
new:
  %made = call ptr @new_block(i64 %need)
  ret ptr %made
}

; The memory of a block; null of the pool that stands for none.
define internal ptr @memory_of(ptr %pool, ptr %block) {
  %behind = getelementptr i8, ptr %block, i64 64
  %none = icmp eq ptr %block, %pool
  %r = select i1 %none, ptr null, ptr %behind
  ret ptr %r
}

; Blocks of 2 MiB and more lie on huge pages where the system has them.
define internal ptr @new_block(i64 %need) {
entry:
  %place = alloca ptr
  %total = add i64 %need, 64
  %large = icmp uge i64 %total, 2097152
  %alignment = select i1 %large, i64 2097152, i64 64
  %failed = call i32 @posix_memalign(ptr %place, i64 %alignment, i64 %total)
  %bad = icmp ne i32 %failed, 0
  br i1 %bad, label %nomem, label %made
nomem:
  ret ptr null
made:
  %block = load ptr, ptr %place
  %advice = load i32, ptr @MADV_HUGEPAGE
  %known = icmp sge i32 %advice, 0
  %ask = and i1 %known, %large
  br i1 %ask, label %advise, label %done
advise:
  %pages = and i64 %total, -2097152
  %e = call i32 @madvise(ptr %block, i64 %pages, i32 %advice)
  br label %done
done:
  store i64 %need, ptr %block
  ret ptr %block
}

; Keep a block for the next launch, or free it if it is large or there is no room.
define internal void @put(ptr %pool, ptr %block) {
entry:
  %nothing = icmp eq ptr %block, %pool
  br i1 %nothing, label %done, label %weigh
weigh:
  %size = load i64, ptr %block
  %keep.p = getelementptr %Pool, ptr %pool, i32 0, i32 21
  %keep = load i64, ptr %keep.p
  %big = icmp ugt i64 %size, %keep
  br i1 %big, label %release, label %search
search:
  %i = phi i64 [ 0, %weigh ], [ %i1, %next ]
  %place = getelementptr %Pool, ptr %pool, i32 0, i32 27, i64 %i
  %bits = ptrtoint ptr %block to i64
  %swap = cmpxchg ptr %place, i64 0, i64 %bits acq_rel monotonic
  %kept = extractvalue { i64, i1 } %swap, 1
  br i1 %kept, label %done, label %next
next:
  %i1 = add i64 %i, 1
  %more = icmp ult i64 %i1, 8
  br i1 %more, label %search, label %release
release:
  call void @free(ptr %block)
  br label %done
done:
  ret void
}

; Free the scratch blocks that no launch is using.
define void @svod_pool_trim(ptr %pool) {
entry:
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i1, %next ]
  %place = getelementptr %Pool, ptr %pool, i32 0, i32 27, i64 %i
  %bits = atomicrmw xchg ptr %place, i64 0 acq_rel
  %block = inttoptr i64 %bits to ptr
  call void @free(ptr %block)
  %i1 = add i64 %i, 1
  %more = icmp ult i64 %i1, 8
  br i1 %more, label %next, label %done
done:
  ret void
}

; For observers: out[0] workers, [1] parked, [2] launches spread over the pool, [3] bytes of kept scratch (approximate while launches run).
define void @svod_pool_stats(ptr %pool, ptr %out) {
entry:
  %started.p = getelementptr %Pool, ptr %pool, i32 0, i32 18
  %started = load i64, ptr %started.p
  %none = icmp eq i64 %started, 0
  %less = sub i64 %started, 1
  %workers = select i1 %none, i64 0, i64 %less
  store i64 %workers, ptr %out
  %parked.p = getelementptr %Pool, ptr %pool, i32 0, i32 13
  %parked = load atomic i64, ptr %parked.p monotonic, align 8
  %out1 = getelementptr i64, ptr %out, i64 1
  store i64 %parked, ptr %out1
  %launches.p = getelementptr %Pool, ptr %pool, i32 0, i32 22
  %launches = load i64, ptr %launches.p
  %out2 = getelementptr i64, ptr %out, i64 2
  store i64 %launches, ptr %out2
  br label %next
next: ; each block is taken out to be read, so that nobody frees it meanwhile
  %i = phi i64 [ 0, %entry ], [ %i1, %back ]
  %sum = phi i64 [ 0, %entry ], [ %sum1, %back ]
  %place = getelementptr %Pool, ptr %pool, i32 0, i32 27, i64 %i
  %bits = atomicrmw xchg ptr %place, i64 0 acq_rel
  %vacant = icmp eq i64 %bits, 0
  br i1 %vacant, label %back, label %read
read:
  %block = inttoptr i64 %bits to ptr
  %size = load i64, ptr %block
  call void @put(ptr %pool, ptr %block)
  br label %back
back:
  %add = phi i64 [ 0, %next ], [ %size, %read ]
  %sum1 = add i64 %sum, %add
  %i1 = add i64 %i, 1
  %more = icmp ult i64 %i1, 8
  br i1 %more, label %next, label %done
done:
  %out3 = getelementptr i64, ptr %out, i64 3
  store i64 %sum1, ptr %out3
  ret void
}

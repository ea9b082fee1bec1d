; From a Python call to a running kernel: two functions for every kernel, each driven by a descriptor.
;
; Both have CPython's METH_FASTCALL signature. `self` is a bytes object whose contents, 32 bytes into it, are the descriptor. They answer
; True if the kernel ran and False, with nothing touched and no exception set, if anything is not exactly as the descriptor says.
; launcher.py writes the descriptor and checks at start-up that Python's and NumPy's objects are laid out as read here.
; The pool's functions come with the descriptor, so this file and pool.ll are compiled apart, each as well as it deserves.

%Descriptor = type {
  ptr,   ;  0 entry
  ptr,   ;  1 reach, or null
  ptr,   ;  2 pool
  i64,   ;  3 cores
  i64,   ;  4 phases
  i64,   ;  5 bytes of shared scratch
  i64,   ;  6 bytes of private scratch
  i64,   ;  7 work, where there is no reach
  i64,   ;  8 work from which the pool is used
  i64,   ;  9 work from which the GIL is released
  ptr,   ; 10 numpy.ndarray
  ptr,   ; 11 int
  ptr,   ; 12 float
  ptr,   ; 13 True
  ptr,   ; 14 False
  i64,   ; 15 number of buffers
  i64,   ; 16 number of scalars
  i64,   ; 17 number of pairs
  i64,   ; 18 where the table of %Buffer lies, in bytes from the start
  i64,   ; 19 where the table of %Scalar lies
  i64,   ; 20 where the table of %Pair lies: each two buffers that must not overlap
  ptr,   ; 21 svod_pool_run
  ptr    ; 22 svod_pool_serial
}
%Buffer = type {
  i64,   ; 0 the dtype: type number and byte order as they lie in NumPy's descriptor
  i64,   ; 1 flags that must be set
  i64,   ; 2 least number of elements, where there is no reach
  i64    ; 3 bytes of an element
}
%Scalar = type {
  i64,   ; 0 kind: 0 int, 1 f32, 2 f64, 3 bool
  i64,   ; 1 least value: an int, or the bits of an f64
  i64    ; 2 greatest value
}
%Pair = type {
  i64,   ; 0 first buffer
  i64,   ; 1 second buffer
  i64    ; 2 1: they may start at the same address
}

declare i64 @PyLong_AsLongLongAndOverflow(ptr, ptr)
declare ptr @PyBool_FromLong(i64)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare float @llvm.fabs.f32(float)
declare double @llvm.fabs.f64(double)

; callable(*arrays, *scalars), everything checked
define ptr @svod_launch(ptr %self, ptr %objects, i64 %given) {
entry:
  %d = getelementptr i8, ptr %self, i64 32
  %nb.p = getelementptr %Descriptor, ptr %d, i32 0, i32 15
  %nb = load i64, ptr %nb.p
  %ns.p = getelementptr %Descriptor, ptr %d, i32 0, i32 16
  %ns = load i64, ptr %ns.p
  %all = add i64 %nb, %ns
  %right = icmp eq i64 %all, %given
  br i1 %right, label %read, label %no
read:
  %args = alloca i64, i64 %all, align 16
  %counts = alloca i64, i64 %nb, align 16
  %ends = alloca i64, i64 %nb, align 16
  %arrays.ok = call i1 @read_arrays(ptr %d, ptr %objects, ptr %args, ptr %counts, ptr %ends)
  br i1 %arrays.ok, label %scalars, label %no
scalars:
  %rest = getelementptr ptr, ptr %objects, i64 %nb
  %slots = getelementptr i64, ptr %args, i64 %nb
  %scalars.ok = call i1 @read_scalars(ptr %d, ptr %rest, ptr %slots)
  br i1 %scalars.ok, label %apart, label %no
apart:
  %apart.ok = call i1 @are_apart(ptr %d, ptr %args, ptr %ends)
  br i1 %apart.ok, label %go, label %no
go:
  %r = call ptr @launch(ptr %d, ptr %args, ptr %counts)
  ret ptr %r
no:
  %f = call ptr @PyBool_FromLong(i64 0)
  ret ptr %f
}

; callable(*addresses, *scalars): nothing is known about what the addresses point to
define ptr @svod_launch_raw(ptr %self, ptr %objects, i64 %given) {
entry:
  %d = getelementptr i8, ptr %self, i64 32
  %nb.p = getelementptr %Descriptor, ptr %d, i32 0, i32 15
  %nb = load i64, ptr %nb.p
  %ns.p = getelementptr %Descriptor, ptr %d, i32 0, i32 16
  %ns = load i64, ptr %ns.p
  %all = add i64 %nb, %ns
  %right = icmp eq i64 %all, %given
  br i1 %right, label %read, label %no
read:
  %args = alloca i64, i64 %all, align 16
  %overflow = alloca i32
  %int.p = getelementptr %Descriptor, ptr %d, i32 0, i32 11
  %int = load ptr, ptr %int.p
  br label %next
next:
  %i = phi i64 [ 0, %read ], [ %i1, %convert ]
  %more = icmp ult i64 %i, %nb
  br i1 %more, label %address, label %scalars
address:
  %object.p = getelementptr ptr, ptr %objects, i64 %i
  %object = load ptr, ptr %object.p
  %type.p = getelementptr i8, ptr %object, i64 8
  %type = load ptr, ptr %type.p
  %is.int = icmp eq ptr %type, %int
  br i1 %is.int, label %convert, label %no
convert:
  %value = call i64 @PyLong_AsLongLongAndOverflow(ptr %object, ptr %overflow)
  %slot = getelementptr i64, ptr %args, i64 %i
  store i64 %value, ptr %slot
  %over = load i32, ptr %overflow
  %fits = icmp eq i32 %over, 0
  %i1 = add i64 %i, 1
  br i1 %fits, label %next, label %no
scalars:
  %rest = getelementptr ptr, ptr %objects, i64 %nb
  %slots = getelementptr i64, ptr %args, i64 %nb
  %scalars.ok = call i1 @read_scalars(ptr %d, ptr %rest, ptr %slots)
  br i1 %scalars.ok, label %go, label %no
go:
  %r = call ptr @launch(ptr %d, ptr %args, ptr null)
  ret ptr %r
no:
  %f = call ptr @PyBool_FromLong(i64 0)
  ret ptr %f
}

; Data pointer, number of elements and end of each array; false if one is not the array that the descriptor describes.
define internal i1 @read_arrays(ptr %d, ptr %objects, ptr %args, ptr %counts, ptr %ends) alwaysinline {
entry:
  %nb.p = getelementptr %Descriptor, ptr %d, i32 0, i32 15
  %nb = load i64, ptr %nb.p
  %ndarray.p = getelementptr %Descriptor, ptr %d, i32 0, i32 10
  %ndarray = load ptr, ptr %ndarray.p
  %buffers.p = getelementptr %Descriptor, ptr %d, i32 0, i32 18
  %buffers.at = load i64, ptr %buffers.p
  %buffers = getelementptr i8, ptr %d, i64 %buffers.at
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i1, %fill ]
  %more = icmp ult i64 %i, %nb
  br i1 %more, label %array, label %good
array:
  %b = getelementptr %Buffer, ptr %buffers, i64 %i
  %object.p = getelementptr ptr, ptr %objects, i64 %i
  %object = load ptr, ptr %object.p
  %type.p = getelementptr i8, ptr %object, i64 8
  %type = load ptr, ptr %type.p
  %is.array = icmp eq ptr %type, %ndarray
  br i1 %is.array, label %look, label %bad
look:
  %dtype.p = getelementptr i8, ptr %object, i64 56
  %dtype = load ptr, ptr %dtype.p
  %word.p = getelementptr i8, ptr %dtype, i64 24
  %word = load i64, ptr %word.p
  %masked = and i64 %word, -4278255616 ; 0xFFFFFFFF00FF0000: the type number, and the byte order
  %wanted = load i64, ptr %b
  %same = icmp eq i64 %masked, %wanted
  %flags.p = getelementptr i8, ptr %object, i64 64
  %flags32 = load i32, ptr %flags.p
  %flags = zext i32 %flags32 to i64
  %need.p = getelementptr %Buffer, ptr %b, i32 0, i32 1
  %need = load i64, ptr %need.p
  %set = and i64 %flags, %need
  %allset = icmp eq i64 %set, %need
  %both = and i1 %same, %allset
  br i1 %both, label %measure, label %bad
measure:
  %nd.p = getelementptr i8, ptr %object, i64 24
  %nd = load i32, ptr %nd.p
  %shape.p = getelementptr i8, ptr %object, i64 32
  %shape = load ptr, ptr %shape.p
  br label %axis
axis:
  %k = phi i32 [ 0, %measure ], [ %k1, %multiply ]
  %count = phi i64 [ 1, %measure ], [ %product, %multiply ]
  %axes = icmp slt i32 %k, %nd
  br i1 %axes, label %multiply, label %counted
multiply:
  %k64 = zext i32 %k to i64
  %extent.p = getelementptr i64, ptr %shape, i64 %k64
  %extent = load i64, ptr %extent.p
  %product = mul i64 %count, %extent
  %k1 = add i32 %k, 1
  br label %axis
counted:
  %least.p = getelementptr %Buffer, ptr %b, i32 0, i32 2
  %least = load i64, ptr %least.p
  %enough = icmp sge i64 %count, %least
  br i1 %enough, label %fill, label %bad
fill:
  %data.p = getelementptr i8, ptr %object, i64 16
  %data = load i64, ptr %data.p
  %slot = getelementptr i64, ptr %args, i64 %i
  store i64 %data, ptr %slot
  %count.p = getelementptr i64, ptr %counts, i64 %i
  store i64 %count, ptr %count.p
  %item.p = getelementptr %Buffer, ptr %b, i32 0, i32 3
  %item = load i64, ptr %item.p
  %bytes = mul i64 %count, %item
  %end = add i64 %data, %bytes
  %end.p = getelementptr i64, ptr %ends, i64 %i
  store i64 %end, ptr %end.p
  %i1 = add i64 %i, 1
  br label %next
good:
  ret i1 true
bad:
  ret i1 false
}

; The value of each scalar in its slot; false if one is of another type or out of its bounds.
define internal i1 @read_scalars(ptr %d, ptr %objects, ptr %slots) alwaysinline {
entry:
  %overflow = alloca i32
  %ns.p = getelementptr %Descriptor, ptr %d, i32 0, i32 16
  %ns = load i64, ptr %ns.p
  %scalars.p = getelementptr %Descriptor, ptr %d, i32 0, i32 19
  %scalars.at = load i64, ptr %scalars.p
  %scalars = getelementptr i8, ptr %d, i64 %scalars.at
  %int.p = getelementptr %Descriptor, ptr %d, i32 0, i32 11
  %int = load ptr, ptr %int.p
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i1, %fill ]
  %more = icmp ult i64 %i, %ns
  br i1 %more, label %scalar, label %good
scalar:
  %s = getelementptr %Scalar, ptr %scalars, i64 %i
  %object.p = getelementptr ptr, ptr %objects, i64 %i
  %object = load ptr, ptr %object.p
  %type.p = getelementptr i8, ptr %object, i64 8
  %type = load ptr, ptr %type.p
  %kind = load i64, ptr %s
  %min.p = getelementptr %Scalar, ptr %s, i32 0, i32 1
  %min = load i64, ptr %min.p
  %max.p = getelementptr %Scalar, ptr %s, i32 0, i32 2
  %max = load i64, ptr %max.p
  %is.int = icmp eq ptr %type, %int
  %wants.int = icmp eq i64 %kind, 0
  br i1 %wants.int, label %want.int, label %other
want.int:
  br i1 %is.int, label %int.value, label %bad
int.value:
  %value = call i64 @PyLong_AsLongLongAndOverflow(ptr %object, ptr %overflow)
  %over = load i32, ptr %overflow
  %fits = icmp eq i32 %over, 0
  %high = icmp sge i64 %value, %min
  %low = icmp sle i64 %value, %max
  %between = and i1 %high, %low
  %fine = and i1 %fits, %between
  br i1 %fine, label %fill, label %bad
other:
  %wants.bool = icmp eq i64 %kind, 3
  br i1 %wants.bool, label %want.bool, label %want.float
want.bool:
  %true.p = getelementptr %Descriptor, ptr %d, i32 0, i32 13
  %true = load ptr, ptr %true.p
  %false.p = getelementptr %Descriptor, ptr %d, i32 0, i32 14
  %false = load ptr, ptr %false.p
  %is.true = icmp eq ptr %object, %true
  %is.false = icmp eq ptr %object, %false
  %is.bool = or i1 %is.true, %is.false
  %bit = zext i1 %is.true to i64
  br i1 %is.bool, label %fill, label %bad
want.float:
  %float.p = getelementptr %Descriptor, ptr %d, i32 0, i32 12
  %float = load ptr, ptr %float.p
  %is.float = icmp eq ptr %type, %float
  br i1 %is.float, label %float.value, label %maybe.int
float.value:
  %number.p = getelementptr i8, ptr %object, i64 16
  %number = load double, ptr %number.p
  br label %bounded
maybe.int:
  br i1 %is.int, label %whole, label %bad
whole: ; an int that an f64 holds exactly
  %w = call i64 @PyLong_AsLongLongAndOverflow(ptr %object, ptr %overflow)
  %w.over = load i32, ptr %overflow
  %w.fits = icmp eq i32 %w.over, 0
  %up = add i64 %w, 9007199254740992
  %exact = icmp ule i64 %up, 18014398509481984
  %w.fine = and i1 %w.fits, %exact
  %converted = sitofp i64 %w to double
  br i1 %w.fine, label %bounded, label %bad
bounded:
  %f = phi double [ %number, %float.value ], [ %converted, %whole ]
  %fmin = bitcast i64 %min to double
  %fmax = bitcast i64 %max to double
  %under = fcmp olt double %f, %fmin
  %above = fcmp ogt double %f, %fmax
  %outside = or i1 %under, %above
  %nan = fcmp uno double %f, 0.0
  %no.min = fcmp oeq double %fmin, 0xFFF0000000000000
  %no.max = fcmp oeq double %fmax, 0x7FF0000000000000
  %unbounded = and i1 %no.min, %no.max
  %nan.in = select i1 %unbounded, i1 false, i1 %nan ; nan is within no bounds
  %refused = or i1 %outside, %nan.in
  br i1 %refused, label %bad, label %width
width:
  %single = icmp eq i64 %kind, 1
  %bits64 = bitcast double %f to i64
  %narrow = fptrunc double %f to float
  %narrow.size = call float @llvm.fabs.f32(float %narrow)
  %size = call double @llvm.fabs.f64(double %f)
  %became.inf = fcmp oeq float %narrow.size, 0x7FF0000000000000
  %was.finite = fcmp olt double %size, 0x7FF0000000000000
  %lost.single = and i1 %became.inf, %was.finite
  %lost = and i1 %lost.single, %single
  br i1 %lost, label %bad, label %narrowed
narrowed:
  %bits32 = bitcast float %narrow to i32
  %wide = zext i32 %bits32 to i64
  %bits = select i1 %single, i64 %wide, i64 %bits64
  br label %fill
fill:
  %word = phi i64 [ %value, %int.value ], [ %bit, %want.bool ], [ %bits, %narrowed ]
  %slot = getelementptr i64, ptr %slots, i64 %i
  store i64 %word, ptr %slot
  %i1 = add i64 %i, 1
  br label %next
good:
  ret i1 true
bad:
  ret i1 false
}

; Whether no written array overlaps another one, but for those that may start at the same address and do.
define internal i1 @are_apart(ptr %d, ptr %args, ptr %ends) alwaysinline {
entry:
  %np.p = getelementptr %Descriptor, ptr %d, i32 0, i32 17
  %np = load i64, ptr %np.p
  %pairs.p = getelementptr %Descriptor, ptr %d, i32 0, i32 20
  %pairs.at = load i64, ptr %pairs.p
  %pairs = getelementptr i8, ptr %d, i64 %pairs.at
  br label %next
next:
  %i = phi i64 [ 0, %entry ], [ %i1, %fine ]
  %more = icmp ult i64 %i, %np
  br i1 %more, label %pair, label %good
pair:
  %p = getelementptr %Pair, ptr %pairs, i64 %i
  %a = load i64, ptr %p
  %b.p = getelementptr %Pair, ptr %p, i32 0, i32 1
  %b = load i64, ptr %b.p
  %alias.p = getelementptr %Pair, ptr %p, i32 0, i32 2
  %alias = load i64, ptr %alias.p
  %start.a.p = getelementptr i64, ptr %args, i64 %a
  %start.a = load i64, ptr %start.a.p
  %start.b.p = getelementptr i64, ptr %args, i64 %b
  %start.b = load i64, ptr %start.b.p
  %end.a.p = getelementptr i64, ptr %ends, i64 %a
  %end.a = load i64, ptr %end.a.p
  %end.b.p = getelementptr i64, ptr %ends, i64 %b
  %end.b = load i64, ptr %end.b.p
  %before = icmp ule i64 %end.a, %start.b
  %behind = icmp ule i64 %end.b, %start.a
  %disjoint = or i1 %before, %behind
  %allowed = icmp ne i64 %alias, 0
  %exact = icmp eq i64 %start.a, %start.b
  %welcome = and i1 %allowed, %exact
  %ok = or i1 %disjoint, %welcome
  br i1 %ok, label %fine, label %bad
fine:
  %i1 = add i64 %i, 1
  br label %next
good:
  ret i1 true
bad:
  ret i1 false
}

; Run with `args`; first, if `counts` is not null, see that each buffer reaches as far as the kernel will. A new reference to True or False.
define internal ptr @launch(ptr %d, ptr %args, ptr %counts) alwaysinline {
entry:
  %entry.f = load ptr, ptr %d
  %reach.p = getelementptr %Descriptor, ptr %d, i32 0, i32 1
  %reach = load ptr, ptr %reach.p
  %static.p = getelementptr %Descriptor, ptr %d, i32 0, i32 7
  %static = load i64, ptr %static.p
  %nb.p = getelementptr %Descriptor, ptr %d, i32 0, i32 15
  %nb = load i64, ptr %nb.p
  %size = add i64 %nb, 1
  %fixed = icmp eq ptr %reach, null
  br i1 %fixed, label %weigh, label %ask
ask:
  %least = alloca i64, i64 %size, align 16
  call void %reach(ptr %args, ptr %least)
  %work.p = getelementptr i64, ptr %least, i64 %nb
  %dynamic = load i64, ptr %work.p
  %unchecked = icmp eq ptr %counts, null
  %last = select i1 %unchecked, i64 0, i64 %nb
  br label %next
next:
  %i = phi i64 [ 0, %ask ], [ %i1, %compare ]
  %more = icmp ult i64 %i, %last
  br i1 %more, label %compare, label %weigh
compare:
  %count.p = getelementptr i64, ptr %counts, i64 %i
  %count = load i64, ptr %count.p
  %must.p = getelementptr i64, ptr %least, i64 %i
  %must = load i64, ptr %must.p
  %i1 = add i64 %i, 1
  %reaches = icmp sge i64 %count, %must
  br i1 %reaches, label %next, label %no
weigh:
  %work = phi i64 [ %static, %entry ], [ %dynamic, %next ]
  %pool.p = getelementptr %Descriptor, ptr %d, i32 0, i32 2
  %pool = load ptr, ptr %pool.p
  %cores.p = getelementptr %Descriptor, ptr %d, i32 0, i32 3
  %cores = load i64, ptr %cores.p
  %phases.p = getelementptr %Descriptor, ptr %d, i32 0, i32 4
  %phases = load i64, ptr %phases.p
  %shared.p = getelementptr %Descriptor, ptr %d, i32 0, i32 5
  %shared = load i64, ptr %shared.p
  %private.p = getelementptr %Descriptor, ptr %d, i32 0, i32 6
  %private = load i64, ptr %private.p
  %spread.p = getelementptr %Descriptor, ptr %d, i32 0, i32 8
  %spread = load i64, ptr %spread.p
  %release.p = getelementptr %Descriptor, ptr %d, i32 0, i32 9
  %release = load i64, ptr %release.p
  %spreads = icmp sge i64 %work, %spread
  %releases = icmp sge i64 %work, %release
  %long = or i1 %spreads, %releases
  %scratch = or i64 %shared, %private
  %bare = icmp eq i64 %scratch, 0
  %serial.p = getelementptr %Descriptor, ptr %d, i32 0, i32 22
  %serial = load ptr, ptr %serial.p
  br i1 %long, label %free, label %short
short:
  br i1 %bare, label %phase, label %full
phase: ; the shortest way: no scratch, so nothing of the pool is needed
  %p = phi i64 [ 0, %short ], [ %p1, %step ]
  br label %core
core:
  %c = phi i64 [ 0, %phase ], [ %c1, %core ]
  call void %entry.f(ptr %args, i64 %c, i64 %p, ptr null, ptr null)
  %c1 = add i64 %c, 1
  %more.cores = icmp ult i64 %c1, %cores
  br i1 %more.cores, label %core, label %step
step:
  %p1 = add i64 %p, 1
  %more.phases = icmp ult i64 %p1, %phases
  br i1 %more.phases, label %phase, label %ran
full:
  %s = call i32 %serial(ptr %pool, ptr %entry.f, ptr %args, i64 %cores, i64 %phases, i64 %shared, i64 %private)
  br label %ran
free:
  %run.p = getelementptr %Descriptor, ptr %d, i32 0, i32 21
  %run = load ptr, ptr %run.p
  %how = select i1 %spreads, ptr %run, ptr %serial
  %state = call ptr @PyEval_SaveThread()
  %h = call i32 %how(ptr %pool, ptr %entry.f, ptr %args, i64 %cores, i64 %phases, i64 %shared, i64 %private)
  call void @PyEval_RestoreThread(ptr %state)
  br label %ran
ran:
  %status = phi i32 [ %s, %full ], [ 0, %step ], [ %h, %free ]
  %done = icmp eq i32 %status, 0
  %done64 = zext i1 %done to i64
  %t = call ptr @PyBool_FromLong(i64 %done64)
  ret ptr %t
no:
  %f = call ptr @PyBool_FromLong(i64 0)
  ret ptr %f
}

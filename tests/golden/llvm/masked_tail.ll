; kernel masked_tail: i32* out (out), i32* a (in); 1 phase(s)
define internal void @"masked_tail.0"(ptr noalias %b.out, ptr noalias readonly %b.a, i64 %core, ptr noalias %shared, ptr noalias %private) #0 {
entry:
  br label %L0_0.1
L0_0.1:
  %L0_0.1.i = phi i64 [ 0, %entry ], [ %L0_0.1.i.next, %L0_0.1.latch ]
  %v2 = mul i64 %L0_0.1.i, 16
  %v3 = sub i64 37, %v2
  %v4 = call i64 @llvm.smin.i64(i64 %v3, i64 16)
  %v5 = call i64 @llvm.smax.i64(i64 %v4, i64 0)
  %v6 = trunc i64 %v5 to i32
  %v7 = insertelement <16 x i32> poison, i32 %v6, i64 0
  %v8 = shufflevector <16 x i32> %v7, <16 x i32> poison, <16 x i32> zeroinitializer
  %v9 = icmp ult <16 x i32> <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7, i32 8, i32 9, i32 10, i32 11, i32 12, i32 13, i32 14, i32 15>, %v8
  %p10 = getelementptr inbounds i32, ptr %b.a, i64 %v2
  %v11 = call <16 x i32> @llvm.masked.load.v16i32.p0(ptr align 4 %p10, <16 x i1> %v9, <16 x i32> splat (i32 0))
  %v12 = mul <16 x i32> %v11, splat (i32 3)
  %p13 = getelementptr inbounds i32, ptr %b.out, i64 %v2
  call void @llvm.masked.store.v16i32.p0(<16 x i32> %v12, ptr align 4 %p13, <16 x i1> %v9)
  br label %L0_0.1.latch
L0_0.1.latch:
  %L0_0.1.i.next = add nsw i64 %L0_0.1.i, 1
  %v14 = icmp slt i64 %L0_0.1.i.next, 3
  br i1 %v14, label %L0_0.1, label %L0_0.1.end
L0_0.1.end:
  ret void
}

define void @entry(ptr %args, i64 %core, i64 %phase, ptr %shared, ptr %private) #0 {
entry:
  %a0p = getelementptr i64, ptr %args, i64 0
  %a0 = load ptr, ptr %a0p, align 8
  %a1p = getelementptr i64, ptr %args, i64 1
  %a1 = load ptr, ptr %a1p, align 8
  call void @"masked_tail.0"(ptr %a0, ptr %a1, i64 %core, ptr %shared, ptr %private)
  ret void
}

define void @reach(ptr %args, ptr %out) #0 {
entry:
  %o1 = getelementptr i64, ptr %out, i64 0
  store i64 37, ptr %o1, align 8
  %o2 = getelementptr i64, ptr %out, i64 1
  store i64 37, ptr %o2, align 8
  %o3 = getelementptr i64, ptr %out, i64 2
  store i64 19, ptr %o3, align 8
  ret void
}

declare <16 x i32> @llvm.masked.load.v16i32.p0(ptr, <16 x i1>, <16 x i32>)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)
declare void @llvm.masked.store.v16i32.p0(<16 x i32>, ptr, <16 x i1>)
attributes #0 = { nounwind "prefer-vector-width"="512" "min-legal-vector-width"="512" }

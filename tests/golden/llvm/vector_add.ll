; kernel vector_add: f32* out (out), f32* a (in), f32* b (in), index n in [0, 1073741824]; 1 phase(s)
define internal void @"vector_add.0"(ptr noalias %b.out, ptr noalias readonly %b.a, ptr noalias readonly %b.b, i64 %s.n, i64 %core, ptr noalias %shared, ptr noalias %private) #0 {
entry:
  %v1 = add i64 %s.n, 127
  %v2 = ashr i64 %v1, 7
  %v3 = mul i64 %core, %v2
  %v4 = mul i64 %v3, 64
  %v5 = mul i64 %v2, 64
  %v6 = add i64 %v4, %v5
  %v7 = call i64 @llvm.smin.i64(i64 %v6, i64 %s.n)
  %v8 = call i64 @llvm.smin.i64(i64 %v4, i64 %s.n)
  %v9 = mul i64 %v8, -1
  %v10 = add i64 %v7, %v9
  %v11 = ashr i64 %v10, 6
  %v13 = icmp slt i64 0, %v11
  br i1 %v13, label %L0_0.12, label %L0_0.12.end
L0_0.12:
  %L0_0.12.i = phi i64 [ 0, %entry ], [ %L0_0.12.i.next, %L0_0.12.latch ]
  %v14 = mul i64 %L0_0.12.i, 64
  %v15 = add i64 %v8, %v14
  %p16 = getelementptr inbounds float, ptr %b.a, i64 %v15
  %v17 = load <16 x float>, ptr %p16, align 4
  %p18 = getelementptr inbounds float, ptr %b.b, i64 %v15
  %v19 = load <16 x float>, ptr %p18, align 4
  %v20 = fadd <16 x float> %v17, %v19
  %p21 = getelementptr inbounds float, ptr %b.out, i64 %v15
  store <16 x float> %v20, ptr %p21, align 4
  %v22 = add i64 %v15, 16
  %p23 = getelementptr inbounds float, ptr %b.a, i64 %v22
  %v24 = load <16 x float>, ptr %p23, align 4
  %p25 = getelementptr inbounds float, ptr %b.b, i64 %v22
  %v26 = load <16 x float>, ptr %p25, align 4
  %v27 = fadd <16 x float> %v24, %v26
  %p28 = getelementptr inbounds float, ptr %b.out, i64 %v22
  store <16 x float> %v27, ptr %p28, align 4
  %v29 = add i64 %v15, 32
  %p30 = getelementptr inbounds float, ptr %b.a, i64 %v29
  %v31 = load <16 x float>, ptr %p30, align 4
  %p32 = getelementptr inbounds float, ptr %b.b, i64 %v29
  %v33 = load <16 x float>, ptr %p32, align 4
  %v34 = fadd <16 x float> %v31, %v33
  %p35 = getelementptr inbounds float, ptr %b.out, i64 %v29
  store <16 x float> %v34, ptr %p35, align 4
  %v36 = add i64 %v15, 48
  %p37 = getelementptr inbounds float, ptr %b.a, i64 %v36
  %v38 = load <16 x float>, ptr %p37, align 4
  %p39 = getelementptr inbounds float, ptr %b.b, i64 %v36
  %v40 = load <16 x float>, ptr %p39, align 4
  %v41 = fadd <16 x float> %v38, %v40
  %p42 = getelementptr inbounds float, ptr %b.out, i64 %v36
  store <16 x float> %v41, ptr %p42, align 4
  br label %L0_0.12.latch
L0_0.12.latch:
  %L0_0.12.i.next = add nsw i64 %L0_0.12.i, 1
  %v43 = icmp slt i64 %L0_0.12.i.next, %v11
  br i1 %v43, label %L0_0.12, label %L0_0.12.end
L0_0.12.end:
  %v44 = and i64 %v10, 63
  %v45 = add i64 %v44, 15
  %v46 = ashr i64 %v45, 4
  %v47 = mul i64 %v11, 64
  %v48 = add i64 %v47, %v8
  %v50 = icmp slt i64 0, %v46
  br i1 %v50, label %L0_2_0.49, label %L0_2_0.49.end
L0_2_0.49:
  %L0_2_0.49.i = phi i64 [ 0, %L0_0.12.end ], [ %L0_2_0.49.i.next, %L0_2_0.49.latch ]
  %v51 = mul i64 %L0_2_0.49.i, 16
  %v52 = add i64 %v48, %v51
  %v53 = sub i64 %v44, %v51
  %v54 = call i64 @llvm.smin.i64(i64 %v53, i64 16)
  %v55 = call i64 @llvm.smax.i64(i64 %v54, i64 0)
  %v56 = trunc i64 %v55 to i32
  %v57 = insertelement <16 x i32> poison, i32 %v56, i64 0
  %v58 = shufflevector <16 x i32> %v57, <16 x i32> poison, <16 x i32> zeroinitializer
  %v59 = icmp ult <16 x i32> <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7, i32 8, i32 9, i32 10, i32 11, i32 12, i32 13, i32 14, i32 15>, %v58
  %p60 = getelementptr inbounds float, ptr %b.a, i64 %v52
  %v61 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr align 4 %p60, <16 x i1> %v59, <16 x float> splat (float 0x0000000000000000))
  %p62 = getelementptr inbounds float, ptr %b.b, i64 %v52
  %v63 = call <16 x float> @llvm.masked.load.v16f32.p0(ptr align 4 %p62, <16 x i1> %v59, <16 x float> splat (float 0x0000000000000000))
  %v64 = fadd <16 x float> %v61, %v63
  %p65 = getelementptr inbounds float, ptr %b.out, i64 %v52
  call void @llvm.masked.store.v16f32.p0(<16 x float> %v64, ptr align 4 %p65, <16 x i1> %v59)
  br label %L0_2_0.49.latch
L0_2_0.49.latch:
  %L0_2_0.49.i.next = add nsw i64 %L0_2_0.49.i, 1
  %v66 = icmp slt i64 %L0_2_0.49.i.next, %v46
  br i1 %v66, label %L0_2_0.49, label %L0_2_0.49.end
L0_2_0.49.end:
  ret void
}

define void @entry(ptr %args, i64 %core, i64 %phase, ptr %shared, ptr %private) #0 {
entry:
  %a0p = getelementptr i64, ptr %args, i64 0
  %a0 = load ptr, ptr %a0p, align 8
  %a1p = getelementptr i64, ptr %args, i64 1
  %a1 = load ptr, ptr %a1p, align 8
  %a2p = getelementptr i64, ptr %args, i64 2
  %a2 = load ptr, ptr %a2p, align 8
  %a3p = getelementptr i64, ptr %args, i64 3
  %a3 = load i64, ptr %a3p, align 8
  call void @"vector_add.0"(ptr %a0, ptr %a1, ptr %a2, i64 %a3, i64 %core, ptr %shared, ptr %private)
  ret void
}

define void @reach(ptr %args, ptr %out) #0 {
entry:
  %a1 = getelementptr i64, ptr %args, i64 3
  %s.n = load i64, ptr %a1, align 8
  %v2 = icmp slt i64 0, %s.n
  %v3 = select i1 %v2, i64 %s.n, i64 0
  %v4 = add i64 %s.n, 1
  %v5 = ashr i64 %v4, 1
  %o6 = getelementptr i64, ptr %out, i64 0
  store i64 %v3, ptr %o6, align 8
  %o7 = getelementptr i64, ptr %out, i64 1
  store i64 %v3, ptr %o7, align 8
  %o8 = getelementptr i64, ptr %out, i64 2
  store i64 %v3, ptr %o8, align 8
  %o9 = getelementptr i64, ptr %out, i64 3
  store i64 %v5, ptr %o9, align 8
  ret void
}

declare <16 x float> @llvm.masked.load.v16f32.p0(ptr, <16 x i1>, <16 x float>)
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)
declare void @llvm.masked.store.v16f32.p0(<16 x float>, ptr, <16 x i1>)
attributes #0 = { nounwind "prefer-vector-width"="512" "min-legal-vector-width"="512" }

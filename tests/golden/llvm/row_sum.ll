; kernel row_sum: f32* out (out), f32* a (in); 1 phase(s)
define internal void @"row_sum.0"(ptr noalias %b.out, ptr noalias readonly %b.a, i64 %core, ptr noalias %shared, ptr noalias %private) #0 {
entry:
  %acc2 = alloca <16 x float>, align 64
  %acc4 = alloca <16 x float>, align 64
  %acc5 = alloca <16 x float>, align 64
  %acc6 = alloca <16 x float>, align 64
  %acc7 = alloca <16 x float>, align 64
  %acc8 = alloca <16 x float>, align 64
  %acc9 = alloca <16 x float>, align 64
  %acc10 = alloca <16 x float>, align 64
  br label %L0.1
L0.1:
  %L0.1.i = phi i64 [ 0, %entry ], [ %L0.1.i.next, %L0.1.latch ]
  store <16 x float> splat (float 0x0000000000000000), ptr %acc2, align 4
  %v3 = mul i64 %L0.1.i, 256
  store <16 x float> splat (float 0x0000000000000000), ptr %acc4, align 4
  store <16 x float> splat (float 0x0000000000000000), ptr %acc5, align 4
  store <16 x float> splat (float 0x0000000000000000), ptr %acc6, align 4
  store <16 x float> splat (float 0x0000000000000000), ptr %acc7, align 4
  store <16 x float> splat (float 0x0000000000000000), ptr %acc8, align 4
  store <16 x float> splat (float 0x0000000000000000), ptr %acc9, align 4
  store <16 x float> splat (float 0x0000000000000000), ptr %acc10, align 4
  br label %L1_0.11
L1_0.11:
  %L1_0.11.i = phi i64 [ 0, %L0.1 ], [ %L1_0.11.i.next, %L1_0.11.latch ]
  %v12 = load <16 x float>, ptr %acc2, align 4
  %v13 = mul i64 %L1_0.11.i, 128
  %v14 = add i64 %v3, %v13
  %p15 = getelementptr inbounds float, ptr %b.a, i64 %v14
  %v16 = load <16 x float>, ptr %p15, align 4
  %v17 = fadd <16 x float> %v12, %v16
  store <16 x float> %v17, ptr %acc2, align 4
  %v18 = load <16 x float>, ptr %acc4, align 4
  %v19 = add i64 %v14, 16
  %p20 = getelementptr inbounds float, ptr %b.a, i64 %v19
  %v21 = load <16 x float>, ptr %p20, align 4
  %v22 = fadd <16 x float> %v18, %v21
  store <16 x float> %v22, ptr %acc4, align 4
  %v23 = load <16 x float>, ptr %acc5, align 4
  %v24 = add i64 %v14, 32
  %p25 = getelementptr inbounds float, ptr %b.a, i64 %v24
  %v26 = load <16 x float>, ptr %p25, align 4
  %v27 = fadd <16 x float> %v23, %v26
  store <16 x float> %v27, ptr %acc5, align 4
  %v28 = load <16 x float>, ptr %acc6, align 4
  %v29 = add i64 %v14, 48
  %p30 = getelementptr inbounds float, ptr %b.a, i64 %v29
  %v31 = load <16 x float>, ptr %p30, align 4
  %v32 = fadd <16 x float> %v28, %v31
  store <16 x float> %v32, ptr %acc6, align 4
  %v33 = load <16 x float>, ptr %acc7, align 4
  %v34 = add i64 %v14, 64
  %p35 = getelementptr inbounds float, ptr %b.a, i64 %v34
  %v36 = load <16 x float>, ptr %p35, align 4
  %v37 = fadd <16 x float> %v33, %v36
  store <16 x float> %v37, ptr %acc7, align 4
  %v38 = load <16 x float>, ptr %acc8, align 4
  %v39 = add i64 %v14, 80
  %p40 = getelementptr inbounds float, ptr %b.a, i64 %v39
  %v41 = load <16 x float>, ptr %p40, align 4
  %v42 = fadd <16 x float> %v38, %v41
  store <16 x float> %v42, ptr %acc8, align 4
  %v43 = load <16 x float>, ptr %acc9, align 4
  %v44 = add i64 %v14, 96
  %p45 = getelementptr inbounds float, ptr %b.a, i64 %v44
  %v46 = load <16 x float>, ptr %p45, align 4
  %v47 = fadd <16 x float> %v43, %v46
  store <16 x float> %v47, ptr %acc9, align 4
  %v48 = load <16 x float>, ptr %acc10, align 4
  %v49 = add i64 %v14, 112
  %p50 = getelementptr inbounds float, ptr %b.a, i64 %v49
  %v51 = load <16 x float>, ptr %p50, align 4
  %v52 = fadd <16 x float> %v48, %v51
  store <16 x float> %v52, ptr %acc10, align 4
  br label %L1_0.11.latch
L1_0.11.latch:
  %L1_0.11.i.next = add nsw i64 %L1_0.11.i, 1
  %v53 = icmp slt i64 %L1_0.11.i.next, 2
  br i1 %v53, label %L1_0.11, label %L1_0.11.end
L1_0.11.end:
  %v54 = load <16 x float>, ptr %acc2, align 4
  %v55 = load <16 x float>, ptr %acc4, align 4
  %v56 = fadd <16 x float> %v54, %v55
  %v57 = load <16 x float>, ptr %acc5, align 4
  %v58 = load <16 x float>, ptr %acc6, align 4
  %v59 = fadd <16 x float> %v57, %v58
  %v60 = fadd <16 x float> %v56, %v59
  %v61 = load <16 x float>, ptr %acc7, align 4
  %v62 = load <16 x float>, ptr %acc8, align 4
  %v63 = fadd <16 x float> %v61, %v62
  %v64 = load <16 x float>, ptr %acc9, align 4
  %v65 = load <16 x float>, ptr %acc10, align 4
  %v66 = fadd <16 x float> %v64, %v65
  %v67 = fadd <16 x float> %v63, %v66
  %v68 = fadd <16 x float> %v60, %v67
  %v69 = shufflevector <16 x float> %v68, <16 x float> poison, <8 x i32> <i32 0, i32 1, i32 2, i32 3, i32 4, i32 5, i32 6, i32 7>
  %v70 = shufflevector <16 x float> %v68, <16 x float> poison, <8 x i32> <i32 8, i32 9, i32 10, i32 11, i32 12, i32 13, i32 14, i32 15>
  %v71 = fadd <8 x float> %v69, %v70
  %v72 = shufflevector <8 x float> %v71, <8 x float> poison, <4 x i32> <i32 0, i32 1, i32 2, i32 3>
  %v73 = shufflevector <8 x float> %v71, <8 x float> poison, <4 x i32> <i32 4, i32 5, i32 6, i32 7>
  %v74 = fadd <4 x float> %v72, %v73
  %v75 = shufflevector <4 x float> %v74, <4 x float> poison, <2 x i32> <i32 0, i32 1>
  %v76 = shufflevector <4 x float> %v74, <4 x float> poison, <2 x i32> <i32 2, i32 3>
  %v77 = fadd <2 x float> %v75, %v76
  %v78 = shufflevector <2 x float> %v77, <2 x float> poison, <1 x i32> <i32 0>
  %v79 = shufflevector <2 x float> %v77, <2 x float> poison, <1 x i32> <i32 1>
  %v80 = fadd <1 x float> %v78, %v79
  %v81 = extractelement <1 x float> %v80, i64 0
  %p82 = getelementptr inbounds float, ptr %b.out, i64 %L0.1.i
  store float %v81, ptr %p82, align 4
  br label %L0.1.latch
L0.1.latch:
  %L0.1.i.next = add nsw i64 %L0.1.i, 1
  %v83 = icmp slt i64 %L0.1.i.next, 64
  br i1 %v83, label %L0.1, label %L0.1.end
L0.1.end:
  ret void
}

define void @entry(ptr %args, i64 %core, i64 %phase, ptr %shared, ptr %private) #0 {
entry:
  %a0p = getelementptr i64, ptr %args, i64 0
  %a0 = load ptr, ptr %a0p, align 8
  %a1p = getelementptr i64, ptr %args, i64 1
  %a1 = load ptr, ptr %a1p, align 8
  call void @"row_sum.0"(ptr %a0, ptr %a1, i64 %core, ptr %shared, ptr %private)
  ret void
}

define void @reach(ptr %args, ptr %out) #0 {
entry:
  %o1 = getelementptr i64, ptr %out, i64 0
  store i64 64, ptr %o1, align 8
  %o2 = getelementptr i64, ptr %out, i64 1
  store i64 16384, ptr %o2, align 8
  %o3 = getelementptr i64, ptr %out, i64 2
  store i64 8224, ptr %o3, align 8
  ret void
}

attributes #0 = { nounwind "prefer-vector-width"="512" "min-legal-vector-width"="512" }

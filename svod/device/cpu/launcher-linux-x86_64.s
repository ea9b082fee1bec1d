# Made by `make native` from launcher.ll; not to be edited. Source d92e5edeada16d79d02bc479
	.file	"<string>"
	.text
	.p2align	4
	.type	here,@function
here:
	.cfi_startproc
	pushq	%rax
	.cfi_def_cfa_offset 16
	callq	sched_getcpu@PLT
	cltq
	popq	%rcx
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end0:
	.size	here, .Lfunc_end0-here
	.cfi_endproc

	.p2align	4
	.type	leave,@function
leave:
	.cfi_startproc
	pushq	%r15
	.cfi_def_cfa_offset 16
	pushq	%r14
	.cfi_def_cfa_offset 24
	pushq	%rbx
	.cfi_def_cfa_offset 32
	subq	$128, %rsp
	.cfi_def_cfa_offset 160
	.cfi_offset %rbx, -32
	.cfi_offset %r14, -24
	.cfi_offset %r15, -16
	movq	%rdi, %rbx
	callq	here
	cmpq	%rbx, %rax
	setne	%al
	cmpq	$1024, %rbx
	setae	%cl
	orb	%al, %cl
	jne	.LBB1_3
	xorps	%xmm0, %xmm0
	movaps	%xmm0, 112(%rsp)
	movaps	%xmm0, 96(%rsp)
	movaps	%xmm0, 80(%rsp)
	movaps	%xmm0, 64(%rsp)
	movaps	%xmm0, 48(%rsp)
	movaps	%xmm0, 32(%rsp)
	movaps	%xmm0, 16(%rsp)
	movaps	%xmm0, (%rsp)
	movq	%rsp, %rdx
	movl	$128, %esi
	xorl	%edi, %edi
	callq	sched_getaffinity@PLT
	testl	%eax, %eax
	js	.LBB1_3
	movq	%rbx, %r14
	shrq	$6, %r14
	movq	(%rsp,%r14,8), %r15
	movq	%r15, %rax
	btrq	%rbx, %rax
	movq	%rax, (%rsp,%r14,8)
	movq	%rsp, %rbx
	movl	$128, %esi
	xorl	%edi, %edi
	movq	%rbx, %rdx
	callq	sched_setaffinity@PLT
	movq	%r15, (%rsp,%r14,8)
	movl	$128, %esi
	xorl	%edi, %edi
	movq	%rbx, %rdx
	callq	sched_setaffinity@PLT
.LBB1_3:
	addq	$128, %rsp
	.cfi_def_cfa_offset 32
	popq	%rbx
	.cfi_def_cfa_offset 24
	popq	%r14
	.cfi_def_cfa_offset 16
	popq	%r15
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end1:
	.size	leave, .Lfunc_end1-leave
	.cfi_endproc

	.section	.rodata.cst8,"aM",@progbits,8
	.p2align	3, 0x0
.LCPI2_0:
	.quad	0x7ff0000000000000
.LCPI2_1:
	.quad	0xfff0000000000000
	.text
	.globl	svod_launch
	.p2align	4
	.type	svod_launch,@function
svod_launch:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	pushq	%r15
	pushq	%r14
	pushq	%r13
	pushq	%r12
	pushq	%rbx
	subq	$72, %rsp
	.cfi_offset %rbx, -56
	.cfi_offset %r12, -48
	.cfi_offset %r13, -40
	.cfi_offset %r14, -32
	.cfi_offset %r15, -24
	movq	152(%rdi), %rax
	movq	%rdi, -48(%rbp)
	movq	160(%rdi), %rdi
	addq	%rax, %rdi
	cmpq	%rdx, %rdi
	jne	.LBB2_65
	movq	-48(%rbp), %r8
	leaq	32(%r8), %rcx
	movq	%rsp, %rbx
	leaq	15(,%rdi,8), %rdx
	andq	$-16, %rdx
	subq	%rdx, %rbx
	movq	%rbx, %rsp
	movq	%rsp, %rdi
	leaq	15(,%rax,8), %rdx
	andq	$-16, %rdx
	subq	%rdx, %rdi
	movq	%rdi, -64(%rbp)
	movq	%rdi, %rsp
	movq	%rsp, %rdi
	subq	%rdx, %rdi
	movq	%rdi, -72(%rbp)
	movq	%rdi, %rsp
	movq	112(%r8), %rdi
	movq	152(%r8), %rdx
	addq	176(%r8), %rcx
	xorl	%r8d, %r8d
	movabsq	$-4278255616, %r9
	cmpq	%rdx, %r8
	jae	.LBB2_12
	.p2align	4
.LBB2_3:
	movq	(%rsi,%r8,8), %r10
	cmpq	%rdi, 8(%r10)
	jne	.LBB2_11
	movq	%r8, %r11
	shlq	$5, %r11
	addq	%rcx, %r11
	movq	56(%r10), %r14
	movq	24(%r14), %r14
	andq	%r9, %r14
	cmpq	(%r11), %r14
	jne	.LBB2_11
	movq	8(%r11), %r14
	movl	64(%r10), %r15d
	andl	%r14d, %r15d
	cmpq	%r14, %r15
	jne	.LBB2_11
	movl	24(%r10), %r15d
	movq	32(%r10), %r12
	movl	$1, %r14d
	xorl	%r13d, %r13d
	cmpl	%r15d, %r13d
	jge	.LBB2_9
	.p2align	4
.LBB2_8:
	imulq	(%r12,%r13,8), %r14
	incq	%r13
	cmpl	%r15d, %r13d
	jl	.LBB2_8
.LBB2_9:
	cmpq	16(%r11), %r14
	movq	-72(%rbp), %r12
	jl	.LBB2_11
	movq	16(%r10), %r10
	movq	%r10, (%rbx,%r8,8)
	movq	-64(%rbp), %r15
	movq	%r14, (%r15,%r8,8)
	imulq	24(%r11), %r14
	addq	%r10, %r14
	movq	%r14, (%r12,%r8,8)
	incq	%r8
	cmpq	%rdx, %r8
	jb	.LBB2_3
	jmp	.LBB2_12
.LBB2_11:
	cmpq	%rdx, %r8
	jb	.LBB2_65
.LBB2_12:
	leaq	(%rsi,%rax,8), %r10
	leaq	(%rbx,%rax,8), %rax
	movq	%rax, -88(%rbp)
	movq	-48(%rbp), %r8
	movq	120(%r8), %rax
	movq	%rax, -80(%rbp)
	movq	160(%r8), %r9
	movq	184(%r8), %rax
	leaq	(%rax,%r8), %r15
	addq	$48, %r15
	xorl	%r13d, %r13d
	movq	%r9, -104(%rbp)
	movq	%r10, -96(%rbp)
	jmp	.LBB2_13
	.p2align	4
.LBB2_41:
	cmpq	$1, %r14
	cmoveq	%rcx, %rax
.LBB2_42:
	movq	-88(%rbp), %rcx
	movq	%rax, (%rcx,%r13,8)
	incq	%r13
	addq	$24, %r15
.LBB2_13:
	cmpq	%r9, %r13
	jae	.LBB2_20
	movq	(%r10,%r13,8), %rdi
	movq	-16(%r15), %r14
	cmpq	$3, %r14
	je	.LBB2_27
	movq	8(%rdi), %rax
	movq	-8(%r15), %r12
	movq	(%r15), %rsi
	testq	%r14, %r14
	jne	.LBB2_29
	cmpq	-80(%rbp), %rax
	jne	.LBB2_20
	movq	%rsi, %r14
	leaq	-52(%rbp), %rsi
	callq	PyLong_AsLongLongAndOverflow@PLT
	movq	-96(%rbp), %r10
	movq	-104(%rbp), %r9
	movq	-48(%rbp), %r8
	cmpl	$0, -52(%rbp)
	jne	.LBB2_20
	cmpq	%r12, %rax
	jl	.LBB2_20
	cmpq	%r14, %rax
	jle	.LBB2_42
	jmp	.LBB2_20
	.p2align	4
.LBB2_27:
	xorl	%eax, %eax
	cmpq	136(%r8), %rdi
	sete	%al
	je	.LBB2_42
	cmpq	144(%r8), %rdi
	je	.LBB2_42
	jmp	.LBB2_20
	.p2align	4
.LBB2_29:
	cmpq	128(%r8), %rax
	je	.LBB2_30
	cmpq	-80(%rbp), %rax
	jne	.LBB2_20
	movq	%rsi, -112(%rbp)
	leaq	-52(%rbp), %rsi
	callq	PyLong_AsLongLongAndOverflow@PLT
	movq	-112(%rbp), %rsi
	movq	-96(%rbp), %r10
	movq	-104(%rbp), %r9
	movq	-48(%rbp), %r8
	cmpl	$0, -52(%rbp)
	jne	.LBB2_20
	movabsq	$9007199254740992, %rcx
	addq	%rax, %rcx
	movabsq	$18014398509481984, %rdx
	cmpq	%rdx, %rcx
	ja	.LBB2_20
	xorps	%xmm0, %xmm0
	cvtsi2sd	%rax, %xmm0
	jmp	.LBB2_35
.LBB2_30:
	movsd	16(%rdi), %xmm0
.LBB2_35:
	movq	%r12, %xmm1
	movq	%rsi, %xmm3
	ucomisd	%xmm0, %xmm0
	setp	%al
	movdqa	%xmm3, %xmm2
	cmpneqsd	.LCPI2_0(%rip), %xmm2
	ucomisd	%xmm0, %xmm1
	cmpneqsd	.LCPI2_1(%rip), %xmm1
	ja	.LBB2_20
	ucomisd	%xmm3, %xmm0
	ja	.LBB2_20
	orpd	%xmm2, %xmm1
	movd	%xmm1, %ecx
	andb	%al, %cl
	jne	.LBB2_20
	movq	%xmm0, %rax
	cvtsd2ss	%xmm0, %xmm0
	movd	%xmm0, %ecx
	movl	%ecx, %esi
	andl	$2147483647, %esi
	movq	%rax, %rdx
	movabsq	$9223372036854775807, %rdi
	andq	%rdi, %rdx
	movabsq	$9218868437227405312, %rdi
	cmpq	%rdi, %rdx
	setl	%dl
	cmpl	$2139095040, %esi
	jne	.LBB2_41
	testb	%dl, %dl
	je	.LBB2_41
	cmpq	$1, %r14
	jne	.LBB2_41
.LBB2_20:
	cmpq	%r9, %r13
	movq	-72(%rbp), %r14
	jae	.LBB2_21
.LBB2_65:
	xorl	%edi, %edi
	callq	PyBool_FromLong@PLT
.LBB2_64:
	leaq	-40(%rbp), %rsp
	popq	%rbx
	popq	%r12
	popq	%r13
	popq	%r14
	popq	%r15
	popq	%rbp
	.cfi_def_cfa %rsp, 8
	retq
.LBB2_21:
	.cfi_def_cfa %rbp, 16
	movq	-48(%rbp), %rdx
	movq	168(%rdx), %rax
	movq	192(%rdx), %rcx
	addq	%rcx, %rdx
	addq	$48, %rdx
	xorl	%ecx, %ecx
	jmp	.LBB2_22
	.p2align	4
.LBB2_26:
	incq	%rcx
	addq	$24, %rdx
.LBB2_22:
	cmpq	%rax, %rcx
	jae	.LBB2_44
	movq	-16(%rdx), %r10
	movq	-8(%rdx), %rdi
	movq	(%rbx,%r10,8), %r8
	movq	(%rbx,%rdi,8), %r11
	cmpq	$0, (%rdx)
	setne	%sil
	cmpq	%r11, %r8
	sete	%r9b
	cmpq	%r11, (%r14,%r10,8)
	jbe	.LBB2_26
	cmpq	%r8, (%r14,%rdi,8)
	jbe	.LBB2_26
	andb	%r9b, %sil
	jne	.LBB2_26
	cmpq	%rax, %rcx
	jb	.LBB2_65
.LBB2_44:
	movq	%rsp, %r13
	movq	-48(%rbp), %rdx
	movq	32(%rdx), %r15
	movq	40(%rdx), %rax
	testq	%rax, %rax
	je	.LBB2_45
	movq	152(%rdx), %r14
	movq	%rsp, %r12
	leaq	23(,%r14,8), %rcx
	andq	$-16, %rcx
	subq	%rcx, %r12
	movq	%r12, %rsp
	movq	%rbx, %rdi
	movq	%r12, %rsi
	callq	*%rax
	movq	(%r12,%r14,8), %rax
	xorl	%ecx, %ecx
	.p2align	4
.LBB2_47:
	cmpq	%r14, %rcx
	jae	.LBB2_48
	movq	-64(%rbp), %rdx
	movq	(%rdx,%rcx,8), %rdx
	cmpq	(%r12,%rcx,8), %rdx
	leaq	1(%rcx), %rcx
	jge	.LBB2_47
	xorl	%edi, %edi
	callq	PyBool_FromLong@PLT
	movq	%r13, %rsp
	jmp	.LBB2_64
.LBB2_45:
	movq	%r13, -72(%rbp)
	movq	88(%rdx), %rax
	jmp	.LBB2_49
.LBB2_48:
	movq	%r13, -72(%rbp)
	movq	-48(%rbp), %rdx
.LBB2_49:
	movq	48(%rdx), %rdi
	movq	56(%rdx), %r13
	movq	64(%rdx), %rcx
	movq	%rcx, -64(%rbp)
	movq	72(%rdx), %r9
	movq	80(%rdx), %r12
	movq	96(%rdx), %rcx
	movq	208(%rdx), %r14
	cmpq	%rcx, %rax
	jge	.LBB2_58
	cmpq	104(%rdx), %rax
	jge	.LBB2_58
	movq	%r9, %rax
	orq	%r12, %rax
	je	.LBB2_52
	subq	$8, %rsp
	movq	%r15, %rsi
	movq	%rbx, %rdx
	movq	%r13, %rcx
	movq	-64(%rbp), %r8
	pushq	%r12
	callq	*%r14
	addq	$16, %rsp
	movl	%eax, %ebx
	jmp	.LBB2_61
.LBB2_58:
	movq	%rdi, -88(%rbp)
	movq	%r9, -48(%rbp)
	cmpq	%rcx, %rax
	jl	.LBB2_60
	movq	200(%rdx), %r14
.LBB2_60:
	callq	PyEval_SaveThread@PLT
	movq	%rax, -80(%rbp)
	subq	$8, %rsp
	movq	-88(%rbp), %rdi
	movq	%r15, %rsi
	movq	%rbx, %rdx
	movq	%r13, %rcx
	movq	-64(%rbp), %r8
	movq	-48(%rbp), %r9
	pushq	%r12
	callq	*%r14
	addq	$16, %rsp
	movl	%eax, %ebx
	movq	-80(%rbp), %rdi
	callq	PyEval_RestoreThread@PLT
	jmp	.LBB2_61
.LBB2_52:
	xorl	%r14d, %r14d
	.p2align	4
.LBB2_53:
	xorl	%r12d, %r12d
	.p2align	4
.LBB2_54:
	movq	%rbx, %rdi
	movq	%r12, %rsi
	movq	%r14, %rdx
	xorl	%ecx, %ecx
	xorl	%r8d, %r8d
	callq	*%r15
	incq	%r12
	cmpq	%r13, %r12
	jb	.LBB2_54
	incq	%r14
	cmpq	-64(%rbp), %r14
	jb	.LBB2_53
	xorl	%ebx, %ebx
.LBB2_61:
	xorl	%edi, %edi
	testl	%ebx, %ebx
	sete	%dil
	callq	PyBool_FromLong@PLT
	movq	-72(%rbp), %rsp
	jmp	.LBB2_64
.Lfunc_end2:
	.size	svod_launch, .Lfunc_end2-svod_launch
	.cfi_endproc

	.section	.rodata.cst8,"aM",@progbits,8
	.p2align	3, 0x0
.LCPI3_0:
	.quad	0x7ff0000000000000
.LCPI3_1:
	.quad	0xfff0000000000000
	.text
	.globl	svod_launch_raw
	.p2align	4
	.type	svod_launch_raw,@function
svod_launch_raw:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	.cfi_offset %rbp, -16
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	pushq	%r15
	pushq	%r14
	pushq	%r13
	pushq	%r12
	pushq	%rbx
	subq	$56, %rsp
	.cfi_offset %rbx, -56
	.cfi_offset %r12, -48
	.cfi_offset %r13, -40
	.cfi_offset %r14, -32
	.cfi_offset %r15, -24
	movq	152(%rdi), %r14
	movq	%rdi, -48(%rbp)
	movq	160(%rdi), %rax
	addq	%r14, %rax
	cmpq	%rdx, %rax
	jne	.LBB3_5
	movq	%rsi, %r15
	movq	%rsp, %rcx
	leaq	15(,%rax,8), %rax
	andq	$-16, %rax
	subq	%rax, %rcx
	movq	%rcx, -72(%rbp)
	movq	%rcx, %rsp
	movq	%rsp, %r12
	addq	$-16, %r12
	movq	%r12, %rsp
	movq	-48(%rbp), %rax
	movq	120(%rax), %r13
	xorl	%ebx, %ebx
	.p2align	4
.LBB3_2:
	cmpq	%r14, %rbx
	jae	.LBB3_6
	movq	(%r15,%rbx,8), %rdi
	cmpq	%r13, 8(%rdi)
	jne	.LBB3_5
	movq	%r12, %rsi
	callq	PyLong_AsLongLongAndOverflow@PLT
	movq	-72(%rbp), %rcx
	movq	%rax, (%rcx,%rbx,8)
	incq	%rbx
	cmpl	$0, (%r12)
	je	.LBB3_2
	jmp	.LBB3_5
.LBB3_6:
	leaq	(%r15,%r14,8), %r9
	movq	-72(%rbp), %rax
	leaq	(%rax,%r14,8), %rax
	movq	%rax, -64(%rbp)
	movq	-48(%rbp), %rbx
	movq	120(%rbx), %rax
	movq	%rax, -88(%rbp)
	movq	160(%rbx), %r8
	movq	184(%rbx), %rax
	leaq	(%rax,%rbx), %r13
	addq	$48, %r13
	xorl	%r15d, %r15d
	movq	%r8, -80(%rbp)
	movq	%r9, -96(%rbp)
	jmp	.LBB3_7
	.p2align	4
.LBB3_31:
	cmpq	$1, %r12
	cmoveq	%rcx, %rax
.LBB3_32:
	movq	-64(%rbp), %rcx
	movq	%rax, (%rcx,%r15,8)
	incq	%r15
	addq	$24, %r13
.LBB3_7:
	cmpq	%r8, %r15
	jae	.LBB3_14
	movq	(%r9,%r15,8), %rdi
	movq	-16(%r13), %r12
	cmpq	$3, %r12
	je	.LBB3_17
	movq	8(%rdi), %rax
	movq	-8(%r13), %r14
	movq	(%r13), %rsi
	testq	%r12, %r12
	jne	.LBB3_19
	cmpq	-88(%rbp), %rax
	jne	.LBB3_14
	movq	%rsi, %r12
	leaq	-52(%rbp), %rsi
	callq	PyLong_AsLongLongAndOverflow@PLT
	movq	-96(%rbp), %r9
	movq	-80(%rbp), %r8
	cmpl	$0, -52(%rbp)
	jne	.LBB3_14
	cmpq	%r14, %rax
	jl	.LBB3_14
	cmpq	%r12, %rax
	jle	.LBB3_32
	jmp	.LBB3_14
	.p2align	4
.LBB3_17:
	xorl	%eax, %eax
	cmpq	136(%rbx), %rdi
	sete	%al
	je	.LBB3_32
	cmpq	144(%rbx), %rdi
	je	.LBB3_32
	jmp	.LBB3_14
	.p2align	4
.LBB3_19:
	cmpq	128(%rbx), %rax
	je	.LBB3_20
	cmpq	-88(%rbp), %rax
	jne	.LBB3_14
	movq	%rsi, %rbx
	leaq	-52(%rbp), %rsi
	callq	PyLong_AsLongLongAndOverflow@PLT
	movq	%rbx, %rsi
	movq	-48(%rbp), %rbx
	movq	-96(%rbp), %r9
	movq	-80(%rbp), %r8
	cmpl	$0, -52(%rbp)
	jne	.LBB3_14
	movabsq	$9007199254740992, %rcx
	addq	%rax, %rcx
	movabsq	$18014398509481984, %rdx
	cmpq	%rdx, %rcx
	ja	.LBB3_14
	xorps	%xmm0, %xmm0
	cvtsi2sd	%rax, %xmm0
	jmp	.LBB3_25
.LBB3_20:
	movsd	16(%rdi), %xmm0
.LBB3_25:
	movq	%r14, %xmm1
	movq	%rsi, %xmm3
	ucomisd	%xmm0, %xmm0
	setp	%al
	movdqa	%xmm3, %xmm2
	cmpneqsd	.LCPI3_0(%rip), %xmm2
	ucomisd	%xmm0, %xmm1
	cmpneqsd	.LCPI3_1(%rip), %xmm1
	ja	.LBB3_14
	ucomisd	%xmm3, %xmm0
	ja	.LBB3_14
	orpd	%xmm2, %xmm1
	movd	%xmm1, %ecx
	andb	%al, %cl
	jne	.LBB3_14
	movq	%xmm0, %rax
	cvtsd2ss	%xmm0, %xmm0
	movd	%xmm0, %ecx
	movl	%ecx, %esi
	andl	$2147483647, %esi
	movq	%rax, %rdx
	movabsq	$9223372036854775807, %rdi
	andq	%rdi, %rdx
	movabsq	$9218868437227405312, %rdi
	cmpq	%rdi, %rdx
	setl	%dl
	cmpl	$2139095040, %esi
	jne	.LBB3_31
	testb	%dl, %dl
	je	.LBB3_31
	cmpq	$1, %r12
	jne	.LBB3_31
.LBB3_14:
	cmpq	%r8, %r15
	jae	.LBB3_15
.LBB3_5:
	xorl	%edi, %edi
.LBB3_47:
	callq	PyBool_FromLong@PLT
	leaq	-40(%rbp), %rsp
	popq	%rbx
	popq	%r12
	popq	%r13
	popq	%r14
	popq	%r15
	popq	%rbp
	.cfi_def_cfa %rsp, 8
	retq
.LBB3_15:
	.cfi_def_cfa %rbp, 16
	movq	-48(%rbp), %rdx
	movq	32(%rdx), %r15
	movq	40(%rdx), %rax
	testq	%rax, %rax
	je	.LBB3_16
	movq	-48(%rbp), %rcx
	movq	152(%rcx), %rbx
	movq	%rsp, %r12
	leaq	23(,%rbx,8), %rcx
	andq	$-16, %rcx
	subq	%rcx, %r12
	movq	%r12, %rsp
	movq	-72(%rbp), %rdi
	movq	%r12, %rsi
	callq	*%rax
	leaq	(%r12,%rbx,8), %rax
	movq	-48(%rbp), %rdx
	jmp	.LBB3_34
.LBB3_16:
	leaq	88(%rdx), %rax
.LBB3_34:
	movq	(%rax), %rax
	movq	48(%rdx), %rdi
	movq	56(%rdx), %r13
	movq	64(%rdx), %rcx
	movq	%rcx, -64(%rbp)
	movq	72(%rdx), %r9
	movq	80(%rdx), %r12
	movq	96(%rdx), %rcx
	movq	208(%rdx), %r14
	cmpq	%rcx, %rax
	jge	.LBB3_42
	cmpq	104(%rdx), %rax
	jge	.LBB3_42
	movq	%r9, %rax
	orq	%r12, %rax
	movq	-72(%rbp), %rbx
	je	.LBB3_37
	subq	$8, %rsp
	movq	%r15, %rsi
	movq	%rbx, %rdx
	movq	%r13, %rcx
	movq	-64(%rbp), %r8
	pushq	%r12
	callq	*%r14
	addq	$16, %rsp
	movl	%eax, %ebx
	jmp	.LBB3_46
.LBB3_42:
	movq	%rdi, -80(%rbp)
	movq	%r9, -88(%rbp)
	cmpq	%rcx, %rax
	movq	-72(%rbp), %rbx
	jl	.LBB3_44
	movq	-48(%rbp), %rax
	movq	200(%rax), %r14
.LBB3_44:
	callq	PyEval_SaveThread@PLT
	movq	%rax, -48(%rbp)
	subq	$8, %rsp
	movq	-80(%rbp), %rdi
	movq	%r15, %rsi
	movq	%rbx, %rdx
	movq	%r13, %rcx
	movq	-64(%rbp), %r8
	movq	-88(%rbp), %r9
	pushq	%r12
	callq	*%r14
	addq	$16, %rsp
	movl	%eax, %ebx
	movq	-48(%rbp), %rdi
	callq	PyEval_RestoreThread@PLT
	jmp	.LBB3_46
.LBB3_37:
	xorl	%r14d, %r14d
	.p2align	4
.LBB3_38:
	xorl	%r12d, %r12d
	.p2align	4
.LBB3_39:
	movq	%rbx, %rdi
	movq	%r12, %rsi
	movq	%r14, %rdx
	xorl	%ecx, %ecx
	xorl	%r8d, %r8d
	callq	*%r15
	incq	%r12
	cmpq	%r13, %r12
	jb	.LBB3_39
	incq	%r14
	cmpq	-64(%rbp), %r14
	jb	.LBB3_38
	xorl	%ebx, %ebx
.LBB3_46:
	xorl	%edi, %edi
	testl	%ebx, %ebx
	sete	%dil
	jmp	.LBB3_47
.Lfunc_end3:
	.size	svod_launch_raw, .Lfunc_end3-svod_launch_raw
	.cfi_endproc

	.type	.LCLOCK_MONOTONIC,@object
	.section	.rodata.cst4,"aM",@progbits,4
	.p2align	2, 0x0
.LCLOCK_MONOTONIC:
	.long	1
	.size	.LCLOCK_MONOTONIC, 4

	.type	.LSIG_SETMASK,@object
	.p2align	2, 0x0
.LSIG_SETMASK:
	.long	2
	.size	.LSIG_SETMASK, 4

	.type	.LSIGBUS,@object
	.p2align	2, 0x0
.LSIGBUS:
	.long	7
	.size	.LSIGBUS, 4

	.type	.LMADV_HUGEPAGE,@object
	.p2align	2, 0x0
.LMADV_HUGEPAGE:
	.long	14
	.size	.LMADV_HUGEPAGE, 4

	.section	".note.GNU-stack","",@progbits

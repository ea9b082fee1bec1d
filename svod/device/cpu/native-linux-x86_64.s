# Made by `make native` from pool.ll and launcher.ll; not to be edited. Source e27df662d91223d771ff0714
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

	.globl	svod_pool_create
	.p2align	4
	.type	svod_pool_create,@function
svod_pool_create:
	.cfi_startproc
	pushq	%r15
	.cfi_def_cfa_offset 16
	pushq	%r14
	.cfi_def_cfa_offset 24
	pushq	%r12
	.cfi_def_cfa_offset 32
	pushq	%rbx
	.cfi_def_cfa_offset 40
	pushq	%rax
	.cfi_def_cfa_offset 48
	.cfi_offset %rbx, -40
	.cfi_offset %r12, -32
	.cfi_offset %r14, -24
	.cfi_offset %r15, -16
	movq	%rdx, %rbx
	movq	%rsi, %r14
	movq	%rdi, %r12
	movq	%rsp, %rdi
	movl	$4096, %esi
	movl	$4096, %edx
	callq	posix_memalign@PLT
	testl	%eax, %eax
	je	.LBB2_3
	xorl	%r15d, %r15d
	jmp	.LBB2_2
.LBB2_3:
	movq	(%rsp), %r15
	movl	$4096, %edx
	movq	%r15, %rdi
	xorl	%esi, %esi
	callq	memset@PLT
	movq	%r12, 400(%r15)
	movq	%r14, 408(%r15)
	movq	%rbx, 416(%r15)
	movq	%r15, %rdi
	callq	svod_pool_reset@PLT
.LBB2_2:
	movq	%r15, %rax
	addq	$8, %rsp
	.cfi_def_cfa_offset 40
	popq	%rbx
	.cfi_def_cfa_offset 32
	popq	%r12
	.cfi_def_cfa_offset 24
	popq	%r14
	.cfi_def_cfa_offset 16
	popq	%r15
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end2:
	.size	svod_pool_create, .Lfunc_end2-svod_pool_create
	.cfi_endproc

	.globl	svod_pool_reset
	.p2align	4
	.type	svod_pool_reset,@function
svod_pool_reset:
	.cfi_startproc
	pushq	%rbx
	.cfi_def_cfa_offset 16
	.cfi_offset %rbx, -16
	movq	%rdi, %rbx
	movq	$0, (%rdi)
	xorps	%xmm0, %xmm0
	movups	%xmm0, 128(%rdi)
	movups	%xmm0, 256(%rdi)
	movups	%xmm0, 384(%rdi)
	addq	$512, %rdi
	xorl	%esi, %esi
	callq	pthread_mutex_init@PLT
	leaq	576(%rbx), %rdi
	xorl	%esi, %esi
	callq	pthread_cond_init@PLT
	addq	$640, %rbx
	movq	%rbx, %rdi
	xorl	%esi, %esi
	callq	pthread_cond_init@PLT
	popq	%rbx
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end3:
	.size	svod_pool_reset, .Lfunc_end3-svod_pool_reset
	.cfi_endproc

	.globl	svod_pool_stop
	.p2align	4
	.type	svod_pool_stop,@function
svod_pool_stop:
	.cfi_startproc
	pushq	%r15
	.cfi_def_cfa_offset 16
	pushq	%r14
	.cfi_def_cfa_offset 24
	pushq	%r12
	.cfi_def_cfa_offset 32
	pushq	%rbx
	.cfi_def_cfa_offset 40
	pushq	%rax
	.cfi_def_cfa_offset 48
	.cfi_offset %rbx, -40
	.cfi_offset %r12, -32
	.cfi_offset %r14, -24
	.cfi_offset %r15, -16
	movq	%rdi, %rbx
	leaq	512(%rdi), %r14
	leaq	576(%rdi), %r15
	movl	$1, %r12d
	.p2align	4
.LBB4_1:
	xorl	%eax, %eax
	lock		cmpxchgq	%r12, 384(%rbx)
	je	.LBB4_3
	callq	sched_yield@PLT
	jmp	.LBB4_1
.LBB4_3:
	movl	$1, %eax
	xchgq	%rax, 264(%rbx)
	movq	%r14, %rdi
	callq	pthread_mutex_lock@PLT
	movq	%r15, %rdi
	callq	pthread_cond_broadcast@PLT
	movq	%r14, %rdi
	callq	pthread_mutex_unlock@PLT
	movq	392(%rbx), %r14
	movl	$97, %r15d
	.p2align	4
.LBB4_4:
	leaq	-96(%r15), %rax
	cmpq	%r14, %rax
	jae	.LBB4_6
	movq	(%rbx,%r15,8), %rdi
	xorl	%esi, %esi
	callq	pthread_join@PLT
	incq	%r15
	jmp	.LBB4_4
.LBB4_6:
	movq	$0, 264(%rbx)
	movq	$0, 392(%rbx)
	movq	%rbx, %rdi
	callq	svod_pool_trim@PLT
	movq	$0, 384(%rbx)
	addq	$8, %rsp
	.cfi_def_cfa_offset 40
	popq	%rbx
	.cfi_def_cfa_offset 32
	popq	%r12
	.cfi_def_cfa_offset 24
	popq	%r14
	.cfi_def_cfa_offset 16
	popq	%r15
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end4:
	.size	svod_pool_stop, .Lfunc_end4-svod_pool_stop
	.cfi_endproc

	.globl	svod_pool_destroy
	.p2align	4
	.type	svod_pool_destroy,@function
svod_pool_destroy:
	.cfi_startproc
	pushq	%rbx
	.cfi_def_cfa_offset 16
	.cfi_offset %rbx, -16
	movq	%rdi, %rbx
	callq	svod_pool_stop@PLT
	movq	%rbx, %rdi
	callq	free@PLT
	popq	%rbx
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end5:
	.size	svod_pool_destroy, .Lfunc_end5-svod_pool_destroy
	.cfi_endproc

	.p2align	4
	.type	start,@function
start:
	.cfi_startproc
	pushq	%r15
	.cfi_def_cfa_offset 16
	pushq	%r14
	.cfi_def_cfa_offset 24
	pushq	%r13
	.cfi_def_cfa_offset 32
	pushq	%r12
	.cfi_def_cfa_offset 40
	pushq	%rbx
	.cfi_def_cfa_offset 48
	subq	$256, %rsp
	.cfi_def_cfa_offset 304
	.cfi_offset %rbx, -48
	.cfi_offset %r12, -40
	.cfi_offset %r13, -32
	.cfi_offset %r14, -24
	.cfi_offset %r15, -16
	movq	%rdi, %rbx
	movq	400(%rdi), %r12
	leaq	128(%rsp), %r14
	movq	%r14, %rdi
	callq	sigfillset@PLT
	movq	%r14, %rdi
	movl	$4, %esi
	callq	sigdelset@PLT
	movq	%r14, %rdi
	movl	$5, %esi
	callq	sigdelset@PLT
	movq	%r14, %rdi
	movl	$6, %esi
	callq	sigdelset@PLT
	movq	%r14, %rdi
	movl	$8, %esi
	callq	sigdelset@PLT
	movq	%r14, %rdi
	movl	$11, %esi
	callq	sigdelset@PLT
	movq	%r14, %rdi
	movl	$7, %esi
	callq	sigdelset@PLT
	movq	%rsp, %rdx
	movl	$2, %edi
	movq	%r14, %rsi
	callq	pthread_sigmask@PLT
	callq	here
	movq	%rax, 272(%rbx)
	leaq	776(%rbx), %r14
	movl	$1, %r13d
	leaq	worker(%rip), %r15
	cmpq	%r12, %r13
	jae	.LBB6_4
	.p2align	4
.LBB6_2:
	leaq	(%rbx,%r13), %rcx
	movq	%r14, %rdi
	xorl	%esi, %esi
	movq	%r15, %rdx
	callq	pthread_create@PLT
	testl	%eax, %eax
	jne	.LBB6_4
	incq	%r13
	addq	$8, %r14
	cmpq	%r12, %r13
	jb	.LBB6_2
.LBB6_4:
	movq	%r13, 392(%rbx)
	movq	%rsp, %rsi
	movl	$2, %edi
	xorl	%edx, %edx
	callq	pthread_sigmask@PLT
	addq	$256, %rsp
	.cfi_def_cfa_offset 48
	popq	%rbx
	.cfi_def_cfa_offset 40
	popq	%r12
	.cfi_def_cfa_offset 32
	popq	%r13
	.cfi_def_cfa_offset 24
	popq	%r14
	.cfi_def_cfa_offset 16
	popq	%r15
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end6:
	.size	start, .Lfunc_end6-start
	.cfi_endproc

	.globl	svod_pool_run
	.p2align	4
	.type	svod_pool_run,@function
svod_pool_run:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	pushq	%r15
	.cfi_def_cfa_offset 24
	pushq	%r14
	.cfi_def_cfa_offset 32
	pushq	%r13
	.cfi_def_cfa_offset 40
	pushq	%r12
	.cfi_def_cfa_offset 48
	pushq	%rbx
	.cfi_def_cfa_offset 56
	subq	$40, %rsp
	.cfi_def_cfa_offset 96
	.cfi_offset %rbx, -56
	.cfi_offset %r12, -48
	.cfi_offset %r13, -40
	.cfi_offset %r14, -32
	.cfi_offset %r15, -24
	.cfi_offset %rbp, -16
	movq	%r8, %rbx
	movq	%rdi, %r14
	movq	96(%rsp), %r12
	movq	400(%rdi), %r15
	cmpq	$2, %rcx
	setb	%al
	cmpq	$2, %r15
	setb	%dil
	orb	%al, %dil
	jne	.LBB7_6
	movl	$1, %edi
	xorl	%eax, %eax
	lock		cmpxchgq	%rdi, 384(%r14)
	jne	.LBB7_6
	movq	392(%r14), %rax
	cmpq	$1, %rax
	je	.LBB7_5
	testq	%rax, %rax
	movq	%rsi, 24(%rsp)
	movq	%rcx, 16(%rsp)
	jne	.LBB7_8
	movq	%r14, %rdi
	movq	%rdx, %r13
	movq	%r9, %rbp
	callq	start
	movq	%rbp, %r9
	movq	24(%rsp), %rsi
	movq	%r13, %rdx
	movq	16(%rsp), %rcx
	cmpq	$1, 392(%r14)
	jne	.LBB7_8
.LBB7_5:
	movq	$0, 384(%r14)
.LBB7_6:
	movq	%r12, (%rsp)
	movq	%r14, %rdi
	movq	%rbx, %r8
	callq	svod_pool_serial@PLT
.LBB7_7:
	addq	$40, %rsp
	.cfi_def_cfa_offset 56
	popq	%rbx
	.cfi_def_cfa_offset 48
	popq	%r12
	.cfi_def_cfa_offset 40
	popq	%r13
	.cfi_def_cfa_offset 32
	popq	%r14
	.cfi_def_cfa_offset 24
	popq	%r15
	.cfi_def_cfa_offset 16
	popq	%rbp
	.cfi_def_cfa_offset 8
	retq
.LBB7_8:
	.cfi_def_cfa_offset 96
	movq	%rdx, 32(%rsp)
	cmpq	$1, %rbx
	sete	%al
	cmpq	%r15, %rcx
	seta	%bpl
	andb	%al, %bpl
	cmoveq	%rcx, %r15
	movq	%r12, %rdi
	movq	%r9, %r13
	callq	round64
	movq	%rax, %r12
	movq	%r13, %rdi
	callq	round64
	movq	%rax, %r13
	movq	%r14, %rdi
	movq	%rax, %rsi
	movq	%r12, %rdx
	movq	%r15, %rcx
	callq	take
	testq	%rax, %rax
	je	.LBB7_9
	movq	%rax, %r15
	movq	%r14, %rdi
	movq	%rax, %rsi
	callq	memory_of
	addq	%rax, %r13
	movzbl	%bpl, %edx
	movq	24(%rsp), %rcx
	movq	%rcx, 8(%r14)
	movq	32(%rsp), %rcx
	movq	%rcx, 16(%r14)
	movq	16(%rsp), %rcx
	movq	%rcx, 24(%r14)
	movl	%edx, 36(%r14)
	movq	%rax, 40(%r14)
	movq	%r13, 48(%r14)
	movq	%r12, 56(%r14)
	incq	424(%r14)
	xorl	%r12d, %r12d
	.p2align	4
.LBB7_11:
	movq	%r14, %rdi
	movq	%r12, %rsi
	callq	run_phase
	incq	%r12
	cmpq	%rbx, %r12
	jb	.LBB7_11
	movq	%r14, %rdi
	movq	%r15, %rsi
	callq	put
	movq	$0, 384(%r14)
	xorl	%eax, %eax
	jmp	.LBB7_7
.LBB7_9:
	movq	$0, 384(%r14)
	movl	$1, %eax
	jmp	.LBB7_7
.Lfunc_end7:
	.size	svod_pool_run, .Lfunc_end7-svod_pool_run
	.cfi_endproc

	.globl	svod_pool_serial
	.p2align	4
	.type	svod_pool_serial,@function
svod_pool_serial:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	pushq	%r15
	.cfi_def_cfa_offset 24
	pushq	%r14
	.cfi_def_cfa_offset 32
	pushq	%r13
	.cfi_def_cfa_offset 40
	pushq	%r12
	.cfi_def_cfa_offset 48
	pushq	%rbx
	.cfi_def_cfa_offset 56
	subq	$72, %rsp
	.cfi_def_cfa_offset 128
	.cfi_offset %rbx, -56
	.cfi_offset %r12, -48
	.cfi_offset %r13, -40
	.cfi_offset %r14, -32
	.cfi_offset %r15, -24
	.cfi_offset %rbp, -16
	movq	%r9, %rbx
	movq	%r8, %rbp
	movq	%rcx, %r15
	movq	%rdx, 56(%rsp)
	movq	%rsi, %r12
	movq	%rdi, %r13
	movq	128(%rsp), %rdi
	callq	round64
	movq	%rax, %r14
	cmpq	$1, %rbp
	movq	%r15, 64(%rsp)
	movq	%rbp, 48(%rsp)
	cmoveq	%rbp, %r15
	movl	$0, %ebp
	cmovneq	%rax, %rbp
	movq	%rbx, %rdi
	callq	round64
	movq	%rax, %rbx
	movq	%r13, %rdi
	movq	%rax, %rsi
	movq	%r14, %rdx
	movq	%r15, %rcx
	callq	take
	testq	%rax, %rax
	je	.LBB8_1
	movq	%rbp, 32(%rsp)
	movq	%r12, 40(%rsp)
	movq	%r13, 16(%rsp)
	movq	%r13, %rdi
	movq	%rax, 8(%rsp)
	movq	%rax, %rsi
	callq	memory_of
	movq	%rax, %r13
	addq	%rax, %rbx
	xorl	%r12d, %r12d
	movq	%rbx, 24(%rsp)
	movq	40(%rsp), %r15
	.p2align	4
.LBB8_4:
	movq	%rbx, %rbp
	xorl	%r14d, %r14d
	movq	32(%rsp), %rbx
	.p2align	4
.LBB8_5:
	movq	56(%rsp), %rdi
	movq	%r14, %rsi
	movq	%r12, %rdx
	movq	%r13, %rcx
	movq	%rbp, %r8
	callq	*%r15
	incq	%r14
	addq	%rbx, %rbp
	cmpq	64(%rsp), %r14
	jb	.LBB8_5
	incq	%r12
	cmpq	48(%rsp), %r12
	movq	24(%rsp), %rbx
	jb	.LBB8_4
	movq	16(%rsp), %rdi
	movq	8(%rsp), %rsi
	callq	put
	xorl	%eax, %eax
	jmp	.LBB8_2
.LBB8_1:
	movl	$1, %eax
.LBB8_2:
	addq	$72, %rsp
	.cfi_def_cfa_offset 56
	popq	%rbx
	.cfi_def_cfa_offset 48
	popq	%r12
	.cfi_def_cfa_offset 40
	popq	%r13
	.cfi_def_cfa_offset 32
	popq	%r14
	.cfi_def_cfa_offset 24
	popq	%r15
	.cfi_def_cfa_offset 16
	popq	%rbp
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end8:
	.size	svod_pool_serial, .Lfunc_end8-svod_pool_serial
	.cfi_endproc

	.p2align	4
	.type	run_phase,@function
run_phase:
	.cfi_startproc
	pushq	%r15
	.cfi_def_cfa_offset 16
	pushq	%r14
	.cfi_def_cfa_offset 24
	pushq	%rbx
	.cfi_def_cfa_offset 32
	.cfi_offset %rbx, -32
	.cfi_offset %r14, -24
	.cfi_offset %r15, -16
	movq	%rdi, %rbx
	movl	%esi, 32(%rdi)
	movq	$0, 128(%rdi)
	movq	24(%rdi), %rax
	cmpq	$64, %rax
	movl	$64, %r14d
	cmovbq	%rax, %r14
	movl	%r14d, %ecx
	negb	%cl
	movq	$-2, %rax
	shlq	%cl, %rax
	shrq	%cl, %rax
	xchgq	%rax, (%rdi)
	movq	256(%rdi), %r15
	testq	%r15, %r15
	je	.LBB9_2
	callq	here
	movq	%rax, 272(%rbx)
	leaq	-1(%r14), %rsi
	cmpq	%rsi, %r15
	cmovbq	%r15, %rsi
	movq	%rbx, %rdi
	callq	wake
.LBB9_2:
	movq	%rbx, %rdi
	xorl	%esi, %esi
	.p2align	4
.LBB9_3:
	xorl	%edx, %edx
	callq	run_slot
	decq	%r14
	movq	%rbx, %rdi
	xorl	%esi, %esi
	callq	claim
	testq	%rax, %rax
	js	.LBB9_5
	movq	%rbx, %rdi
	movq	%rax, %rsi
	jmp	.LBB9_3
.LBB9_5:
	movq	%rbx, %rdi
	movq	%r14, %rsi
	callq	await_finish
	popq	%rbx
	.cfi_def_cfa_offset 24
	popq	%r14
	.cfi_def_cfa_offset 16
	popq	%r15
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end9:
	.size	run_phase, .Lfunc_end9-run_phase
	.cfi_endproc

	.p2align	4
	.type	claim,@function
claim:
	.cfi_startproc
	movq	%rsi, %rcx
	movl	$1, %edx
	shlq	%cl, %rdx
	movq	(%rdi), %rax
	.p2align	4
.LBB10_1:
	testq	%rax, %rax
	je	.LBB10_2
	movq	%rax, %rsi
	negq	%rsi
	andq	%rax, %rsi
	movq	%rax, %rcx
	andq	%rdx, %rcx
	cmoveq	%rsi, %rcx
	movq	%rax, %rsi
	xorq	%rcx, %rsi
	lock		cmpxchgq	%rsi, (%rdi)
	jne	.LBB10_1
	rep		bsfq	%rcx, %rax
	retq
.LBB10_2:
	movq	$-1, %rax
	retq
.Lfunc_end10:
	.size	claim, .Lfunc_end10-claim
	.cfi_endproc

	.p2align	4
	.type	run_slot,@function
run_slot:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	pushq	%r15
	.cfi_def_cfa_offset 24
	pushq	%r14
	.cfi_def_cfa_offset 32
	pushq	%r13
	.cfi_def_cfa_offset 40
	pushq	%r12
	.cfi_def_cfa_offset 48
	pushq	%rbx
	.cfi_def_cfa_offset 56
	subq	$40, %rsp
	.cfi_def_cfa_offset 96
	.cfi_offset %rbx, -56
	.cfi_offset %r12, -48
	.cfi_offset %r13, -40
	.cfi_offset %r14, -32
	.cfi_offset %r15, -24
	.cfi_offset %rbp, -16
	movq	%rdx, %r12
	movq	%rsi, %r15
	movq	24(%rdi), %rax
	movl	32(%rdi), %r14d
	cmpq	$64, %rax
	ja	.LBB11_2
	leaq	1(%r15), %r13
	jmp	.LBB11_3
.LBB11_2:
	movq	%rax, %r13
	shrq	$6, %r13
	andl	$63, %eax
	movq	%r15, %rcx
	imulq	%r13, %rcx
	cmpq	%rax, %r15
	cmovbq	%r15, %rax
	adcq	$0, %r13
	addq	%rcx, %rax
	addq	%rax, %r13
	movq	%rax, %r15
.LBB11_3:
	movq	8(%rdi), %rax
	movq	%rax, 32(%rsp)
	movq	16(%rdi), %rax
	movq	%rax, 24(%rsp)
	movl	36(%rdi), %eax
	movl	%eax, 12(%rsp)
	movq	40(%rdi), %rax
	movq	%rax, 16(%rsp)
	movq	48(%rdi), %rbp
	movq	56(%rdi), %rbx
	.p2align	4
.LBB11_4:
	cmpl	$0, 12(%rsp)
	movq	%r12, %r8
	cmoveq	%r15, %r8
	imulq	%rbx, %r8
	addq	%rbp, %r8
	movq	24(%rsp), %rdi
	movq	%r15, %rsi
	movq	%r14, %rdx
	movq	16(%rsp), %rcx
	callq	*32(%rsp)
	incq	%r15
	cmpq	%r13, %r15
	jb	.LBB11_4
	addq	$40, %rsp
	.cfi_def_cfa_offset 56
	popq	%rbx
	.cfi_def_cfa_offset 48
	popq	%r12
	.cfi_def_cfa_offset 40
	popq	%r13
	.cfi_def_cfa_offset 32
	popq	%r14
	.cfi_def_cfa_offset 24
	popq	%r15
	.cfi_def_cfa_offset 16
	popq	%rbp
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end11:
	.size	run_slot, .Lfunc_end11-run_slot
	.cfi_endproc

	.p2align	4
	.type	worker,@function
worker:
	.cfi_startproc
	pushq	%r14
	.cfi_def_cfa_offset 16
	pushq	%rbx
	.cfi_def_cfa_offset 24
	pushq	%rax
	.cfi_def_cfa_offset 32
	.cfi_offset %rbx, -24
	.cfi_offset %r14, -16
	movq	%rdi, %rbx
	movl	%ebx, %r14d
	andl	$4095, %r14d
	andq	$-4096, %rbx
	movq	%rbx, %rdi
	callq	leave_caller
	jmp	.LBB12_1
	.p2align	4
.LBB12_2:
	movq	%rax, %rsi
	movq	%r14, %rdx
	callq	run_slot
	movq	%rbx, %rdi
	callq	finish
.LBB12_1:
	movq	%rbx, %rdi
	movq	%r14, %rsi
	callq	claim
	movq	%rbx, %rdi
	testq	%rax, %rax
	jns	.LBB12_2
	callq	await_work
	testb	$1, %al
	je	.LBB12_1
	xorl	%eax, %eax
	addq	$8, %rsp
	.cfi_def_cfa_offset 24
	popq	%rbx
	.cfi_def_cfa_offset 16
	popq	%r14
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end12:
	.size	worker, .Lfunc_end12-worker
	.cfi_endproc

	.p2align	4
	.type	finish,@function
finish:
	.cfi_startproc
	lock		incq	128(%rdi)
	movq	136(%rdi), %rax
	testq	%rax, %rax
	je	.LBB13_2
	pushq	%r14
	.cfi_def_cfa_offset 16
	pushq	%rbx
	.cfi_def_cfa_offset 24
	pushq	%rax
	.cfi_def_cfa_offset 32
	.cfi_offset %rbx, -24
	.cfi_offset %r14, -16
	leaq	512(%rdi), %rbx
	addq	$640, %rdi
	movq	%rdi, %r14
	movq	%rbx, %rdi
	callq	pthread_mutex_lock@PLT
	movq	%r14, %rdi
	callq	pthread_cond_signal@PLT
	movq	%rbx, %rdi
	callq	pthread_mutex_unlock@PLT
	addq	$8, %rsp
	.cfi_def_cfa_offset 24
	popq	%rbx
	.cfi_def_cfa_offset 16
	popq	%r14
	.cfi_def_cfa_offset 8
	.cfi_restore %rbx
	.cfi_restore %r14
.LBB13_2:
	retq
.Lfunc_end13:
	.size	finish, .Lfunc_end13-finish
	.cfi_endproc

	.p2align	4
	.type	await_finish,@function
await_finish:
	.cfi_startproc
	pushq	%rbp
	.cfi_def_cfa_offset 16
	pushq	%r15
	.cfi_def_cfa_offset 24
	pushq	%r14
	.cfi_def_cfa_offset 32
	pushq	%r13
	.cfi_def_cfa_offset 40
	pushq	%r12
	.cfi_def_cfa_offset 48
	pushq	%rbx
	.cfi_def_cfa_offset 56
	pushq	%rax
	.cfi_def_cfa_offset 64
	.cfi_offset %rbx, -56
	.cfi_offset %r12, -48
	.cfi_offset %r13, -40
	.cfi_offset %r14, -32
	.cfi_offset %r15, -24
	.cfi_offset %rbp, -16
	movq	%rsi, %r15
	movq	%rdi, %r14
	leaq	512(%rdi), %rbx
	leaq	640(%rdi), %r12
	movq	408(%rdi), %r13
	movl	$1, %ebp
	xorl	%eax, %eax
	.p2align	4
.LBB14_1:
	movq	128(%r14), %rcx
	cmpq	%r15, %rcx
	je	.LBB14_7
	pause
	movq	%rbp, %rdi
	movq	%rax, %rsi
	movq	%r13, %rdx
	callq	patience
	incq	%rbp
	testq	%rax, %rax
	jns	.LBB14_1
	movq	%rbx, %rdi
	callq	pthread_mutex_lock@PLT
	movl	$1, %eax
	xchgq	%rax, 136(%r14)
	.p2align	4
.LBB14_4:
	movq	128(%r14), %rax
	cmpq	%r15, %rax
	je	.LBB14_6
	movq	%r12, %rdi
	movq	%rbx, %rsi
	callq	pthread_cond_wait@PLT
	jmp	.LBB14_4
.LBB14_6:
	movq	$0, 136(%r14)
	movq	%rbx, %rdi
	callq	pthread_mutex_unlock@PLT
.LBB14_7:
	addq	$8, %rsp
	.cfi_def_cfa_offset 56
	popq	%rbx
	.cfi_def_cfa_offset 48
	popq	%r12
	.cfi_def_cfa_offset 40
	popq	%r13
	.cfi_def_cfa_offset 32
	popq	%r14
	.cfi_def_cfa_offset 24
	popq	%r15
	.cfi_def_cfa_offset 16
	popq	%rbp
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end14:
	.size	await_finish, .Lfunc_end14-await_finish
	.cfi_endproc

	.p2align	4
	.type	await_work,@function
await_work:
	.cfi_startproc
	pushq	%r15
	.cfi_def_cfa_offset 16
	pushq	%r14
	.cfi_def_cfa_offset 24
	pushq	%r13
	.cfi_def_cfa_offset 32
	pushq	%r12
	.cfi_def_cfa_offset 40
	pushq	%rbx
	.cfi_def_cfa_offset 48
	.cfi_offset %rbx, -48
	.cfi_offset %r12, -40
	.cfi_offset %r13, -32
	.cfi_offset %r14, -24
	.cfi_offset %r15, -16
	movq	%rdi, %rbx
	leaq	512(%rdi), %r14
	leaq	576(%rdi), %r15
	movq	408(%rdi), %r12
	jmp	.LBB15_1
	.p2align	4
.LBB15_7:
	lock		decq	256(%rbx)
	movq	%r14, %rdi
	callq	pthread_mutex_unlock@PLT
	movq	%rbx, %rdi
	callq	leave_caller
.LBB15_1:
	xorl	%eax, %eax
	xorl	%r13d, %r13d
.LBB15_2:
	movq	(%rbx), %rcx
	testq	%rcx, %rcx
	jne	.LBB15_8
	movq	264(%rbx), %rdx
	testq	%rdx, %rdx
	jne	.LBB15_8
	pause
	incq	%r13
	movq	%r13, %rdi
	movq	%rax, %rsi
	movq	%r12, %rdx
	callq	patience
	testq	%rax, %rax
	jns	.LBB15_2
	movq	%r14, %rdi
	callq	pthread_mutex_lock@PLT
	lock		incq	256(%rbx)
	movq	(%rbx), %rax
	movq	264(%rbx), %rcx
	orq	%rax, %rcx
	jne	.LBB15_7
	movq	%r15, %rdi
	movq	%r14, %rsi
	callq	pthread_cond_wait@PLT
	jmp	.LBB15_7
.LBB15_8:
	testq	%rcx, %rcx
	sete	%al
	popq	%rbx
	.cfi_def_cfa_offset 40
	popq	%r12
	.cfi_def_cfa_offset 32
	popq	%r13
	.cfi_def_cfa_offset 24
	popq	%r14
	.cfi_def_cfa_offset 16
	popq	%r15
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end15:
	.size	await_work, .Lfunc_end15-await_work
	.cfi_endproc

	.p2align	4
	.type	leave_caller,@function
leave_caller:
	.cfi_startproc
	pushq	%rax
	.cfi_def_cfa_offset 16
	movq	272(%rdi), %rdi
	callq	leave
	popq	%rax
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end16:
	.size	leave_caller, .Lfunc_end16-leave_caller
	.cfi_endproc

	.p2align	4
	.type	wake,@function
wake:
	.cfi_startproc
	pushq	%r15
	.cfi_def_cfa_offset 16
	pushq	%r14
	.cfi_def_cfa_offset 24
	pushq	%rbx
	.cfi_def_cfa_offset 32
	.cfi_offset %rbx, -32
	.cfi_offset %r14, -24
	.cfi_offset %r15, -16
	movq	%rsi, %rbx
	movq	%rdi, %r14
	leaq	512(%rdi), %r15
	addq	$576, %r14
	movq	%r15, %rdi
	callq	pthread_mutex_lock@PLT
	movq	%r15, %rdi
	callq	pthread_mutex_unlock@PLT
	xorl	%r15d, %r15d
	.p2align	4
.LBB17_1:
	movq	%r14, %rdi
	callq	pthread_cond_signal@PLT
	incq	%r15
	cmpq	%rbx, %r15
	jb	.LBB17_1
	popq	%rbx
	.cfi_def_cfa_offset 24
	popq	%r14
	.cfi_def_cfa_offset 16
	popq	%r15
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end17:
	.size	wake, .Lfunc_end17-wake
	.cfi_endproc

	.p2align	4
	.type	patience,@function
patience:
	.cfi_startproc
	pushq	%r14
	.cfi_def_cfa_offset 16
	pushq	%rbx
	.cfi_def_cfa_offset 24
	subq	$24, %rsp
	.cfi_def_cfa_offset 48
	.cfi_offset %rbx, -24
	.cfi_offset %r14, -16
	movq	%rsi, %rbx
	testb	$63, %dil
	jne	.LBB18_2
	movq	%rdx, %r14
	leaq	8(%rsp), %rsi
	movl	$1, %edi
	callq	clock_gettime@PLT
	imulq	$1000000000, 8(%rsp), %rax
	addq	16(%rsp), %rax
	addq	%rax, %r14
	cmpq	%rbx, %rax
	movq	$-1, %rax
	cmovleq	%rbx, %rax
	testq	%rbx, %rbx
	cmoveq	%r14, %rax
	movq	%rax, %rbx
.LBB18_2:
	movq	%rbx, %rax
	addq	$24, %rsp
	.cfi_def_cfa_offset 24
	popq	%rbx
	.cfi_def_cfa_offset 16
	popq	%r14
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end18:
	.size	patience, .Lfunc_end18-patience
	.cfi_endproc

	.p2align	4
	.type	round64,@function
round64:
	.cfi_startproc
	leaq	63(%rdi), %rax
	andq	$-64, %rax
	retq
.Lfunc_end19:
	.size	round64, .Lfunc_end19-round64
	.cfi_endproc

	.p2align	4
	.type	take,@function
take:
	.cfi_startproc
	pushq	%r15
	.cfi_def_cfa_offset 16
	pushq	%r14
	.cfi_def_cfa_offset 24
	pushq	%rbx
	.cfi_def_cfa_offset 32
	.cfi_offset %rbx, -32
	.cfi_offset %r14, -24
	.cfi_offset %r15, -16
	movq	%rdx, %rax
	mulq	%rcx
	movq	%rax, %r14
	seto	%al
	addq	%rsi, %r14
	setb	%cl
	orb	%al, %cl
	notb	%cl
	movabsq	$4611686018427387905, %rax
	cmpq	%rax, %r14
	setb	%al
	testb	%al, %cl
	jne	.LBB20_3
	xorl	%ebx, %ebx
	jmp	.LBB20_2
.LBB20_3:
	movq	%rdi, %rbx
	testq	%r14, %r14
	je	.LBB20_2
	movq	$-1, %r15
	jmp	.LBB20_5
	.p2align	4
.LBB20_9:
	callq	free@PLT
.LBB20_10:
	incq	%r15
	cmpq	$7, %r15
	jae	.LBB20_11
.LBB20_5:
	movq	712(%rbx,%r15,8), %rax
	testq	%rax, %rax
	je	.LBB20_10
	xorl	%edi, %edi
	xchgq	%rdi, 712(%rbx,%r15,8)
	testq	%rdi, %rdi
	je	.LBB20_10
	cmpq	%r14, (%rdi)
	jb	.LBB20_9
	movq	%rdi, %rbx
	jmp	.LBB20_2
.LBB20_11:
	movq	%r14, %rdi
	callq	new_block
	movq	%rax, %rbx
.LBB20_2:
	movq	%rbx, %rax
	popq	%rbx
	.cfi_def_cfa_offset 24
	popq	%r14
	.cfi_def_cfa_offset 16
	popq	%r15
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end20:
	.size	take, .Lfunc_end20-take
	.cfi_endproc

	.p2align	4
	.type	memory_of,@function
memory_of:
	.cfi_startproc
	leaq	64(%rsi), %rcx
	xorl	%eax, %eax
	cmpq	%rdi, %rsi
	cmovneq	%rcx, %rax
	retq
.Lfunc_end21:
	.size	memory_of, .Lfunc_end21-memory_of
	.cfi_endproc

	.p2align	4
	.type	new_block,@function
new_block:
	.cfi_startproc
	pushq	%r14
	.cfi_def_cfa_offset 16
	pushq	%rbx
	.cfi_def_cfa_offset 24
	pushq	%rax
	.cfi_def_cfa_offset 32
	.cfi_offset %rbx, -24
	.cfi_offset %r14, -16
	movq	%rdi, %rbx
	leaq	64(%rdi), %r14
	cmpq	$2097152, %r14
	movl	$2097152, %eax
	movl	$64, %esi
	cmovaeq	%rax, %rsi
	movq	%rsp, %rdi
	movq	%r14, %rdx
	callq	posix_memalign@PLT
	testl	%eax, %eax
	je	.LBB22_3
	xorl	%eax, %eax
	jmp	.LBB22_2
.LBB22_3:
	movq	(%rsp), %rax
	cmpq	$2097152, %r14
	jb	.LBB22_5
	andq	$-2097152, %r14
	movq	%rax, %rdi
	movq	%r14, %rsi
	movl	$14, %edx
	movq	%rax, %r14
	callq	madvise@PLT
	movq	%r14, %rax
.LBB22_5:
	movq	%rbx, (%rax)
.LBB22_2:
	addq	$8, %rsp
	.cfi_def_cfa_offset 24
	popq	%rbx
	.cfi_def_cfa_offset 16
	popq	%r14
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end22:
	.size	new_block, .Lfunc_end22-new_block
	.cfi_endproc

	.p2align	4
	.type	put,@function
put:
	.cfi_startproc
	cmpq	%rdi, %rsi
	je	.LBB23_6
	movq	(%rsi), %rax
	cmpq	416(%rdi), %rax
	ja	.LBB23_5
	movq	$-1, %rcx
	.p2align	4
.LBB23_3:
	xorl	%eax, %eax
	lock		cmpxchgq	%rsi, 712(%rdi,%rcx,8)
	je	.LBB23_6
	incq	%rcx
	cmpq	$7, %rcx
	jb	.LBB23_3
.LBB23_5:
	pushq	%rax
	.cfi_def_cfa_offset 16
	movq	%rsi, %rdi
	callq	free@PLT
	addq	$8, %rsp
	.cfi_def_cfa_offset 8
.LBB23_6:
	retq
.Lfunc_end23:
	.size	put, .Lfunc_end23-put
	.cfi_endproc

	.globl	svod_pool_trim
	.p2align	4
	.type	svod_pool_trim,@function
svod_pool_trim:
	.cfi_startproc
	pushq	%r14
	.cfi_def_cfa_offset 16
	pushq	%rbx
	.cfi_def_cfa_offset 24
	pushq	%rax
	.cfi_def_cfa_offset 32
	.cfi_offset %rbx, -24
	.cfi_offset %r14, -16
	movq	%rdi, %rbx
	movq	$-1, %r14
	.p2align	4
.LBB24_1:
	xorl	%edi, %edi
	xchgq	%rdi, 712(%rbx,%r14,8)
	callq	free@PLT
	incq	%r14
	cmpq	$7, %r14
	jb	.LBB24_1
	addq	$8, %rsp
	.cfi_def_cfa_offset 24
	popq	%rbx
	.cfi_def_cfa_offset 16
	popq	%r14
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end24:
	.size	svod_pool_trim, .Lfunc_end24-svod_pool_trim
	.cfi_endproc

	.globl	svod_pool_stats
	.p2align	4
	.type	svod_pool_stats,@function
svod_pool_stats:
	.cfi_startproc
	pushq	%r15
	.cfi_def_cfa_offset 16
	pushq	%r14
	.cfi_def_cfa_offset 24
	pushq	%r13
	.cfi_def_cfa_offset 32
	pushq	%r12
	.cfi_def_cfa_offset 40
	pushq	%rbx
	.cfi_def_cfa_offset 48
	.cfi_offset %rbx, -48
	.cfi_offset %r12, -40
	.cfi_offset %r13, -32
	.cfi_offset %r14, -24
	.cfi_offset %r15, -16
	movq	%rdi, %rbx
	movq	392(%rdi), %rax
	cmpq	$1, %rax
	adcq	$-1, %rax
	movq	%rsi, %r14
	movq	%rax, (%rsi)
	movq	256(%rdi), %rax
	movq	%rax, 8(%rsi)
	movq	424(%rdi), %rax
	movq	%rax, 16(%rsi)
	movq	$-1, %r12
	xorl	%r15d, %r15d
	jmp	.LBB25_1
	.p2align	4
.LBB25_3:
	addq	%r13, %r15
	incq	%r12
	cmpq	$7, %r12
	jae	.LBB25_4
.LBB25_1:
	xorl	%esi, %esi
	xchgq	%rsi, 712(%rbx,%r12,8)
	movl	$0, %r13d
	testq	%rsi, %rsi
	je	.LBB25_3
	movq	(%rsi), %r13
	movq	%rbx, %rdi
	callq	put
	jmp	.LBB25_3
.LBB25_4:
	movq	%r15, 24(%r14)
	popq	%rbx
	.cfi_def_cfa_offset 40
	popq	%r12
	.cfi_def_cfa_offset 32
	popq	%r13
	.cfi_def_cfa_offset 24
	popq	%r14
	.cfi_def_cfa_offset 16
	popq	%r15
	.cfi_def_cfa_offset 8
	retq
.Lfunc_end25:
	.size	svod_pool_stats, .Lfunc_end25-svod_pool_stats
	.cfi_endproc

	.section	.rodata.cst8,"aM",@progbits,8
	.p2align	3, 0x0
.LCPI26_0:
	.quad	0x7ff0000000000000
.LCPI26_1:
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
	jne	.LBB26_21
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
	movq	%rdi, -72(%rbp)
	movq	%rdi, %rsp
	movq	%rsp, %rdi
	subq	%rdx, %rdi
	movq	%rdi, -56(%rbp)
	movq	%rdi, %rsp
	movq	112(%r8), %rdx
	movq	152(%r8), %rdi
	addq	176(%r8), %rcx
	xorl	%r8d, %r8d
	movabsq	$-4278255616, %r9
	cmpq	%rdi, %r8
	jae	.LBB26_11
	.p2align	4
.LBB26_3:
	movq	(%rsi,%r8,8), %r10
	cmpq	%rdx, 8(%r10)
	jne	.LBB26_21
	movq	%r8, %r11
	shlq	$5, %r11
	addq	%rcx, %r11
	movq	56(%r10), %r14
	movq	24(%r14), %r14
	andq	%r9, %r14
	cmpq	(%r11), %r14
	jne	.LBB26_21
	movq	8(%r11), %r14
	movl	64(%r10), %r15d
	andl	%r14d, %r15d
	cmpq	%r14, %r15
	jne	.LBB26_21
	movl	24(%r10), %r15d
	movq	32(%r10), %r12
	movl	$1, %r14d
	xorl	%r13d, %r13d
	cmpl	%r15d, %r13d
	jge	.LBB26_9
	.p2align	4
.LBB26_8:
	imulq	(%r12,%r13,8), %r14
	incq	%r13
	cmpl	%r15d, %r13d
	jl	.LBB26_8
.LBB26_9:
	cmpq	16(%r11), %r14
	jl	.LBB26_21
	movq	16(%r10), %r10
	movq	%r10, (%rbx,%r8,8)
	movq	-72(%rbp), %r15
	movq	%r14, (%r15,%r8,8)
	imulq	24(%r11), %r14
	addq	%r10, %r14
	movq	-56(%rbp), %r10
	movq	%r14, (%r10,%r8,8)
	incq	%r8
	cmpq	%rdi, %r8
	jb	.LBB26_3
.LBB26_11:
	leaq	(%rsi,%rax,8), %r9
	leaq	(%rbx,%rax,8), %rax
	movq	%rax, -88(%rbp)
	movq	-48(%rbp), %r8
	movq	120(%r8), %rax
	movq	%rax, -80(%rbp)
	movq	160(%r8), %r10
	movq	184(%r8), %rax
	leaq	(%rax,%r8), %r15
	addq	$48, %r15
	xorl	%r13d, %r13d
	movq	%r9, -104(%rbp)
	movq	%r10, -96(%rbp)
	jmp	.LBB26_12
	.p2align	4
.LBB26_34:
	cmpq	$1, %r14
	cmoveq	%rcx, %rax
.LBB26_35:
	movq	-88(%rbp), %rcx
	movq	%rax, (%rcx,%r13,8)
	incq	%r13
	addq	$24, %r15
.LBB26_12:
	cmpq	%r10, %r13
	jae	.LBB26_36
	movq	(%r9,%r13,8), %rdi
	movq	-16(%r15), %r14
	cmpq	$3, %r14
	je	.LBB26_19
	movq	8(%rdi), %rax
	movq	-8(%r15), %r12
	movq	(%r15), %rsi
	testq	%r14, %r14
	jne	.LBB26_22
	cmpq	-80(%rbp), %rax
	jne	.LBB26_21
	movq	%rsi, %r14
	leaq	-60(%rbp), %rsi
	callq	PyLong_AsLongLongAndOverflow@PLT
	movq	-96(%rbp), %r10
	movq	-104(%rbp), %r9
	movq	-48(%rbp), %r8
	cmpl	$0, -60(%rbp)
	jne	.LBB26_21
	cmpq	%r12, %rax
	jl	.LBB26_21
	cmpq	%r14, %rax
	jle	.LBB26_35
	jmp	.LBB26_21
	.p2align	4
.LBB26_19:
	xorl	%eax, %eax
	cmpq	136(%r8), %rdi
	sete	%al
	je	.LBB26_35
	cmpq	144(%r8), %rdi
	je	.LBB26_35
	jmp	.LBB26_21
	.p2align	4
.LBB26_22:
	cmpq	128(%r8), %rax
	je	.LBB26_23
	cmpq	-80(%rbp), %rax
	jne	.LBB26_21
	movq	%rsi, -112(%rbp)
	leaq	-60(%rbp), %rsi
	callq	PyLong_AsLongLongAndOverflow@PLT
	movq	-112(%rbp), %rsi
	movq	-96(%rbp), %r10
	movq	-104(%rbp), %r9
	movq	-48(%rbp), %r8
	cmpl	$0, -60(%rbp)
	jne	.LBB26_21
	movabsq	$9007199254740992, %rcx
	addq	%rax, %rcx
	movabsq	$18014398509481984, %rdx
	cmpq	%rdx, %rcx
	ja	.LBB26_21
	xorps	%xmm0, %xmm0
	cvtsi2sd	%rax, %xmm0
	jmp	.LBB26_28
.LBB26_23:
	movsd	16(%rdi), %xmm0
.LBB26_28:
	movq	%r12, %xmm1
	movq	%rsi, %xmm3
	ucomisd	%xmm0, %xmm0
	setp	%al
	movdqa	%xmm3, %xmm2
	cmpneqsd	.LCPI26_0(%rip), %xmm2
	ucomisd	%xmm0, %xmm1
	cmpneqsd	.LCPI26_1(%rip), %xmm1
	ja	.LBB26_21
	ucomisd	%xmm3, %xmm0
	ja	.LBB26_21
	orpd	%xmm2, %xmm1
	movd	%xmm1, %ecx
	andb	%al, %cl
	jne	.LBB26_21
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
	jne	.LBB26_34
	testb	%dl, %dl
	je	.LBB26_34
	cmpq	$1, %r14
	jne	.LBB26_34
	jmp	.LBB26_21
.LBB26_36:
	movq	168(%r8), %rax
	movq	192(%r8), %rcx
	addq	%r8, %rcx
	addq	$48, %rcx
	xorl	%edx, %edx
	movq	-56(%rbp), %r14
	jmp	.LBB26_37
	.p2align	4
.LBB26_41:
	incq	%rdx
	addq	$24, %rcx
	movq	-48(%rbp), %r8
.LBB26_37:
	cmpq	%rax, %rdx
	jae	.LBB26_42
	movq	-16(%rcx), %r10
	movq	-8(%rcx), %rdi
	movq	(%rbx,%r10,8), %r8
	movq	(%rbx,%rdi,8), %r11
	cmpq	$0, (%rcx)
	setne	%sil
	cmpq	%r11, %r8
	sete	%r9b
	cmpq	%r11, (%r14,%r10,8)
	jbe	.LBB26_41
	movq	-56(%rbp), %r10
	cmpq	%r8, (%r10,%rdi,8)
	jbe	.LBB26_41
	andb	%r9b, %sil
	jne	.LBB26_41
.LBB26_21:
	xorl	%edi, %edi
	callq	PyBool_FromLong@PLT
.LBB26_62:
	leaq	-40(%rbp), %rsp
	popq	%rbx
	popq	%r12
	popq	%r13
	popq	%r14
	popq	%r15
	popq	%rbp
	.cfi_def_cfa %rsp, 8
	retq
.LBB26_42:
	.cfi_def_cfa %rbp, 16
	movq	%rsp, %r13
	movq	32(%r8), %r15
	movq	40(%r8), %rax
	testq	%rax, %rax
	je	.LBB26_43
	movq	152(%r8), %r14
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
.LBB26_45:
	cmpq	%r14, %rcx
	jae	.LBB26_46
	movq	-72(%rbp), %rdx
	movq	(%rdx,%rcx,8), %rdx
	cmpq	(%r12,%rcx,8), %rdx
	leaq	1(%rcx), %rcx
	jge	.LBB26_45
	xorl	%edi, %edi
	callq	PyBool_FromLong@PLT
	movq	%r13, %rsp
	jmp	.LBB26_62
.LBB26_43:
	movq	%r13, -72(%rbp)
	movq	88(%r8), %rax
	jmp	.LBB26_47
.LBB26_46:
	movq	%r13, -72(%rbp)
	movq	-48(%rbp), %r8
.LBB26_47:
	movq	48(%r8), %rdi
	movq	56(%r8), %r13
	movq	64(%r8), %rcx
	movq	%rcx, -56(%rbp)
	movq	72(%r8), %r9
	movq	80(%r8), %r12
	movq	96(%r8), %rcx
	movq	208(%r8), %r14
	cmpq	%rcx, %rax
	jge	.LBB26_56
	cmpq	104(%r8), %rax
	jge	.LBB26_56
	movq	%r9, %rax
	orq	%r12, %rax
	je	.LBB26_50
	subq	$8, %rsp
	movq	%r15, %rsi
	movq	%rbx, %rdx
	movq	%r13, %rcx
	movq	-56(%rbp), %r8
	pushq	%r12
	callq	*%r14
	addq	$16, %rsp
	movl	%eax, %ebx
	jmp	.LBB26_59
.LBB26_56:
	movq	%rdi, -88(%rbp)
	movq	%r9, -48(%rbp)
	cmpq	%rcx, %rax
	jl	.LBB26_58
	movq	200(%r8), %r14
.LBB26_58:
	callq	PyEval_SaveThread@PLT
	movq	%rax, -80(%rbp)
	subq	$8, %rsp
	movq	-88(%rbp), %rdi
	movq	%r15, %rsi
	movq	%rbx, %rdx
	movq	%r13, %rcx
	movq	-56(%rbp), %r8
	movq	-48(%rbp), %r9
	pushq	%r12
	callq	*%r14
	addq	$16, %rsp
	movl	%eax, %ebx
	movq	-80(%rbp), %rdi
	callq	PyEval_RestoreThread@PLT
	jmp	.LBB26_59
.LBB26_50:
	xorl	%r14d, %r14d
.LBB26_51:
	xorl	%r12d, %r12d
	.p2align	4
.LBB26_52:
	movq	%rbx, %rdi
	movq	%r12, %rsi
	movq	%r14, %rdx
	xorl	%ecx, %ecx
	xorl	%r8d, %r8d
	callq	*%r15
	incq	%r12
	cmpq	%r13, %r12
	jb	.LBB26_52
	incq	%r14
	cmpq	-56(%rbp), %r14
	jb	.LBB26_51
	xorl	%ebx, %ebx
.LBB26_59:
	xorl	%edi, %edi
	testl	%ebx, %ebx
	sete	%dil
	callq	PyBool_FromLong@PLT
	movq	-72(%rbp), %rsp
	jmp	.LBB26_62
.Lfunc_end26:
	.size	svod_launch, .Lfunc_end26-svod_launch
	.cfi_endproc

	.section	.rodata.cst8,"aM",@progbits,8
	.p2align	3, 0x0
.LCPI27_0:
	.quad	0x7ff0000000000000
.LCPI27_1:
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
	jne	.LBB27_5
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
.LBB27_2:
	cmpq	%r14, %rbx
	jae	.LBB27_6
	movq	(%r15,%rbx,8), %rdi
	cmpq	%r13, 8(%rdi)
	jne	.LBB27_5
	movq	%r12, %rsi
	callq	PyLong_AsLongLongAndOverflow@PLT
	movq	-72(%rbp), %rcx
	movq	%rax, (%rcx,%rbx,8)
	incq	%rbx
	cmpl	$0, (%r12)
	je	.LBB27_2
.LBB27_5:
	xorl	%edi, %edi
	callq	PyBool_FromLong@PLT
.LBB27_46:
	leaq	-40(%rbp), %rsp
	popq	%rbx
	popq	%r12
	popq	%r13
	popq	%r14
	popq	%r15
	popq	%rbp
	.cfi_def_cfa %rsp, 8
	retq
.LBB27_6:
	.cfi_def_cfa %rbp, 16
	leaq	(%r15,%r14,8), %r8
	movq	-72(%rbp), %rax
	leaq	(%rax,%r14,8), %rax
	movq	%rax, -64(%rbp)
	movq	-48(%rbp), %rbx
	movq	120(%rbx), %rax
	movq	%rax, -96(%rbp)
	movq	160(%rbx), %r9
	movq	184(%rbx), %rax
	leaq	(%rax,%rbx), %r13
	addq	$48, %r13
	xorl	%r12d, %r12d
	movq	%r8, -88(%rbp)
	movq	%r9, -80(%rbp)
	jmp	.LBB27_7
	.p2align	4
.LBB27_28:
	cmpq	$1, %r15
	cmoveq	%rcx, %rax
.LBB27_29:
	movq	-64(%rbp), %rcx
	movq	%rax, (%rcx,%r12,8)
	incq	%r12
	addq	$24, %r13
.LBB27_7:
	cmpq	%r9, %r12
	jae	.LBB27_30
	movq	(%r8,%r12,8), %rdi
	movq	-16(%r13), %r15
	cmpq	$3, %r15
	je	.LBB27_14
	movq	8(%rdi), %rax
	movq	-8(%r13), %r14
	movq	(%r13), %rsi
	testq	%r15, %r15
	jne	.LBB27_16
	cmpq	-96(%rbp), %rax
	jne	.LBB27_5
	movq	%rsi, %r15
	leaq	-52(%rbp), %rsi
	callq	PyLong_AsLongLongAndOverflow@PLT
	movq	-80(%rbp), %r9
	movq	-88(%rbp), %r8
	cmpl	$0, -52(%rbp)
	jne	.LBB27_5
	cmpq	%r14, %rax
	jl	.LBB27_5
	cmpq	%r15, %rax
	jle	.LBB27_29
	jmp	.LBB27_5
	.p2align	4
.LBB27_14:
	xorl	%eax, %eax
	cmpq	136(%rbx), %rdi
	sete	%al
	je	.LBB27_29
	cmpq	144(%rbx), %rdi
	je	.LBB27_29
	jmp	.LBB27_5
	.p2align	4
.LBB27_16:
	cmpq	128(%rbx), %rax
	je	.LBB27_17
	cmpq	-96(%rbp), %rax
	jne	.LBB27_5
	movq	%rsi, %rbx
	leaq	-52(%rbp), %rsi
	callq	PyLong_AsLongLongAndOverflow@PLT
	movq	%rbx, %rsi
	movq	-48(%rbp), %rbx
	movq	-80(%rbp), %r9
	movq	-88(%rbp), %r8
	cmpl	$0, -52(%rbp)
	jne	.LBB27_5
	movabsq	$9007199254740992, %rcx
	addq	%rax, %rcx
	movabsq	$18014398509481984, %rdx
	cmpq	%rdx, %rcx
	ja	.LBB27_5
	xorps	%xmm0, %xmm0
	cvtsi2sd	%rax, %xmm0
	jmp	.LBB27_22
.LBB27_17:
	movsd	16(%rdi), %xmm0
.LBB27_22:
	movq	%r14, %xmm1
	movq	%rsi, %xmm3
	ucomisd	%xmm0, %xmm0
	setp	%al
	movdqa	%xmm3, %xmm2
	cmpneqsd	.LCPI27_0(%rip), %xmm2
	ucomisd	%xmm0, %xmm1
	cmpneqsd	.LCPI27_1(%rip), %xmm1
	ja	.LBB27_5
	ucomisd	%xmm3, %xmm0
	ja	.LBB27_5
	orpd	%xmm2, %xmm1
	movd	%xmm1, %ecx
	andb	%al, %cl
	jne	.LBB27_5
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
	jne	.LBB27_28
	testb	%dl, %dl
	je	.LBB27_28
	cmpq	$1, %r15
	jne	.LBB27_28
	jmp	.LBB27_5
.LBB27_30:
	movq	%rsp, -96(%rbp)
	movq	32(%rbx), %r15
	movq	40(%rbx), %rax
	testq	%rax, %rax
	je	.LBB27_31
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
	movq	-48(%rbp), %rbx
	jmp	.LBB27_33
.LBB27_31:
	leaq	88(%rbx), %rax
.LBB27_33:
	movq	(%rax), %rax
	movq	48(%rbx), %rdi
	movq	56(%rbx), %r13
	movq	64(%rbx), %rcx
	movq	%rcx, -64(%rbp)
	movq	72(%rbx), %r9
	movq	80(%rbx), %r12
	movq	96(%rbx), %rcx
	movq	208(%rbx), %r14
	cmpq	%rcx, %rax
	jge	.LBB27_41
	cmpq	104(%rbx), %rax
	jge	.LBB27_41
	movq	%r9, %rax
	orq	%r12, %rax
	movq	-72(%rbp), %rbx
	je	.LBB27_36
	subq	$8, %rsp
	movq	%r15, %rsi
	movq	%rbx, %rdx
	movq	%r13, %rcx
	movq	-64(%rbp), %r8
	pushq	%r12
	callq	*%r14
	addq	$16, %rsp
	movl	%eax, %ebx
	jmp	.LBB27_45
.LBB27_41:
	movq	%rdi, -80(%rbp)
	movq	%r9, -88(%rbp)
	cmpq	%rcx, %rax
	movq	-72(%rbp), %rbx
	jl	.LBB27_43
	movq	-48(%rbp), %rax
	movq	200(%rax), %r14
.LBB27_43:
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
	jmp	.LBB27_45
.LBB27_36:
	xorl	%r14d, %r14d
	.p2align	4
.LBB27_37:
	xorl	%r12d, %r12d
	.p2align	4
.LBB27_38:
	movq	%rbx, %rdi
	movq	%r12, %rsi
	movq	%r14, %rdx
	xorl	%ecx, %ecx
	xorl	%r8d, %r8d
	callq	*%r15
	incq	%r12
	cmpq	%r13, %r12
	jb	.LBB27_38
	incq	%r14
	cmpq	-64(%rbp), %r14
	jb	.LBB27_37
	xorl	%ebx, %ebx
.LBB27_45:
	xorl	%edi, %edi
	testl	%ebx, %ebx
	sete	%dil
	callq	PyBool_FromLong@PLT
	movq	-96(%rbp), %rsp
	jmp	.LBB27_46
.Lfunc_end27:
	.size	svod_launch_raw, .Lfunc_end27-svod_launch_raw
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

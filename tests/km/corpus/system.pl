# SPDX-License-Identifier: Apache-2.0
# Perl: System V IPC, sockets, forks, signals, sprintf, sorting, and what it says of errors.
use strict; use warnings; use POSIX qw(:sys_wait_h :signal_h setsid mkfifo); use Socket; use Fcntl qw(:flock SEEK_SET);
use IPC::SysV qw(IPC_PRIVATE IPC_CREAT IPC_RMID SETVAL GETVAL IPC_NOWAIT); use Time::HiRes qw(sleep setitimer ITIMER_REAL);
$| = 1;
my $shm = shmget(IPC_PRIVATE, 5000, IPC_CREAT | 0600); shmwrite($shm, "shared", 100, 6);
my $sem = semget(IPC_PRIVATE, 2, IPC_CREAT | 0600); semctl($sem, 0, SETVAL, 0); my $msg = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
if (!fork) { shmread($shm, my $text, 100, 6); msgsnd($msg, pack('l! a*', 3, "got $text"), 0); semop($sem, pack('s3', 0, 2, 0)); exit 5 }
semop($sem, pack('s3', 0, -2, 0)); msgrcv($msg, my $got, 100, 3, 0); wait; print substr($got, 8), " ", $? >> 8, "\n";
print defined msgrcv($msg, $got, 100, 0, IPC_NOWAIT) ? "more" : "none: $!", "\n";
shmctl($shm, IPC_RMID, 0); semctl($sem, 0, IPC_RMID, 0); msgctl($msg, IPC_RMID, 0);
my @pids = map { my $n = $_; my $pid = fork; $pid or do { select undef, undef, undef, 0.01; exit $n }; $pid } 1 .. 40;
my $sum = 0; $sum += (waitpid($_, 0), $? >> 8)[1] for @pids; print "$sum\n";
socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC); syswrite $a, "x" x 1000; sysread $b, my $buffer, 2000; print length $buffer, "\n";
my $ticks = 0; { local $SIG{ALRM} = sub { $ticks++ }; setitimer(ITIMER_REAL, 0.01, 0.01); sleep 1 while $ticks < 5; setitimer(ITIMER_REAL, 0) } print $ticks >= 5, "\n";
local $SIG{CHLD} = sub { print "child\n" }; system 'exit 2'; print $? >> 8, "\n"; my $pid = fork // die; exit 0 unless $pid; sleep 0.5; waitpid $pid, 0;
{ local $SIG{CHLD} = 'DEFAULT'; open my $pipe, '-|', 'seq 3000 | sort -n | tail -n 1' or die; print <$pipe> } print `printf '%s' backticks`, "\n";
open my $file, '+>', 'file' or die; print $file "line $_\n" for 1 .. 1000; flock $file, LOCK_EX; seek $file, 0, SEEK_SET; print scalar(my @lines = <$file>), "\n";
print join(',', (sort { $b <=> $a } map { $_ * 7919 % 1009 } 1 .. 500)[0 .. 4]), sprintf(" %.10g %e %x", 1 / 3, 12345.678, 255), "\n";
open my $none, '<', '/no/such' or print "$!\n"; mkdir 'folder'; rename 'file', 'folder/file'; print join(' ', glob 'folder/*'), "\n"; print -s 'folder/file', "\n";
my $old = POSIX::SigSet->new; sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGUSR1), $old); kill USR1 => $$; my $pending = POSIX::SigSet->new; POSIX::sigpending($pending);
print $pending->ismember(SIGUSR1), "\n"; $SIG{USR1} = sub { print "usr1\n" }; sigprocmask(SIG_SETMASK, $old); my ($r, $w) = POSIX::pipe(); print POSIX::ttyname(0) // 'no tty', " ", $0 =~ m{([^/]+)$}, "\n";
$SIG{__DIE__} = sub { print "dying: $_[0]" }; die "the end\n";

#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The unit tests of the pure layers, under AddressSanitizer and UBSan, those
# of the ring under ThreadSanitizer too; then each fuzz target over its kept
# corpus and for some seconds more.  FUZZ_SECONDS=N sets how many.

use warnings;
use strict;

use Test::More;

use Cwd qw/ abs_path /;
use File::Basename qw/ basename dirname /;
use File::Path qw/ make_path /;
use File::Temp qw/ tempdir /;

my $root = abs_path(dirname(__FILE__) . '/..');
my $objs = $ENV{TEST_NGINX_OBJS} || "$root/objs";
my $seconds = $ENV{FUZZ_SECONDS} // 5;

chdir $root or die;

sub run {
    my ($timeout, @command) = @_;

    open my $fh, '-|', 'timeout', '-k', 5, $timeout, 'sh', '-c',
        'exec "$@" 2>&1', 'sh', @command or die "$command[0]: $!\n";
    my $out = do { local $/; <$fh> } // '';
    close $fh;

    return ($?, $out);
}

sub built {
    my ($what) = @_;

    my ($status, $out) = run(900, 'make', '-ks', '-j2', '-f',
        't/tools/unit.mk', $what, "OBJS=$objs");

    is($status, 0, "$what are built") or diag($out);
}

sub tail {
    my ($text) = @_;
    return length $text > 4000 ? substr $text, -4000 : $text;
}

###############################################################################

built('units');

my @tests = map { basename($_, '.c') } sort glob 't/unit/*_test.c';

for my $flavour (qw/ asan tsan /) {

    for my $test ($flavour eq 'tsan' ? grep { /ring/ } @tests : @tests) {
        my ($status, $out) = run(180, "$objs/unit/$flavour/$test");
        my $checks = () = $out =~ /^ok \d+/mg;

        ok($status == 0 && $checks && $out =~ /^1\.\.$checks$/m
            && $out !~ /^not ok/m, "$test, $flavour: $checks checks")
            or diag("status $status\n", tail($out));
    }
}

###############################################################################

built('fuzzers');

for my $target (map { basename($_, '.c') } sort glob 't/fuzz/*_fuzz.c') {
    my $work = tempdir(CLEANUP => 1);
    my ($name) = $target =~ /^(.*)_fuzz$/;
    my @corpus = grep { -d } "t/fuzz/corpus/$target", "t/fuzz/corpus/$name";

    my ($status, $out) = run($seconds + 120, "$objs/unit/fuzz/$target",
        "-max_total_time=$seconds", '-timeout=10', '-rss_limit_mb=1024',
        "-artifact_prefix=$work/", '-print_final_stats=1', $work, @corpus);
    my ($units) = $out =~ /number_of_executed_units: (\d+)/;

    is($status, 0, "$target: " . ($units // 0) . ' inputs')
        or diag(tail($out));
}

###############################################################################

done_testing();

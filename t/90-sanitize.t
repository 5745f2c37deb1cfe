#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The tests that run nginx, once more with nginx and the modules built with
# AddressSanitizer and UBSan, two at a time: most of their time they wait.
# SANITIZE_TESTS=all takes those of t/client too, as `make sanitize` does.

use warnings;
use strict;

use Test::More;

use Cwd qw/ abs_path /;
use File::Basename qw/ basename dirname /;
use File::Temp;

use constant AT_ONCE => 2;

my $root = abs_path(dirname(__FILE__) . '/..');
my $objs = $ENV{TEST_NGINX_OBJS} || "$root/objs";
my $all = ($ENV{SANITIZE_TESTS} // '') eq 'all';

chdir $root or die;

my $built = `make --no-print-directory sanitize-build OBJS=$objs 2>&1`;

if ($? && $built =~ /no entry|Failed to fetch|Unable to/) {
    plan(skip_all => "no source of nginx to be had: $built");
}

is($?, 0, 'nginx with sanitizers is built') or diag($built);

$ENV{TEST_NGINX_BINARY} = "$objs/sanitize/nginx";
$ENV{TEST_NGINX_MODULES} = "$objs/sanitize";

my @tests;

for my $test (sort(glob('t/*.t')), $all ? sort(glob('t/client/*.t')) : ()) {
    my $text = do { local (@ARGV, $/) = $test; <> };

    push @tests, $test
        if basename($test) !~ /^[09]\d-/ && $text =~ /^use Test::Nginx/m;
}

my %running;

while (@tests || %running) {

    while (@tests && keys %running < AT_ONCE) {
        my $test = shift @tests;
        my $log = File::Temp->new();

        defined(my $pid = fork) or die "fork: $!";

        if ($pid == 0) {
            open STDOUT, '>&', $log or die;
            open STDERR, '>&', $log or die;

            exec 'timeout', '-k', 10, 600, $^X, '-It/lib', $test;
            die "timeout: $!";
        }

        $running{$pid} = [ $test, $log ];
    }

    my ($test, $log) = @{delete $running{waitpid(-1, 0)} // next};

    ended($test, $?, $log);
}

done_testing();


sub ended {
    my ($test, $status, $log) = @_;

    my $out = do { local (@ARGV, $/) = "$log"; <> } // '';
    my ($why) = $out =~ /^1\.\.0\s*#\s*(SKIP.*)$/mi;
    my $count = () = $out =~ /^ok \d+/mg;

    ok($status == 0, "$test: " . ($why // "$count tests"))
        or diag(substr $out, -6000);
}

#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The tests that run nginx, once more with nginx and the modules built with
# AddressSanitizer and UBSan.  SANITIZE_TESTS=all takes those of t/client too,
# as `make sanitize` does.

use warnings;
use strict;

use Test::More;

use Cwd qw/ abs_path /;
use File::Basename qw/ basename dirname /;

my $root = abs_path(dirname(__FILE__) . '/..');
my $objs = $ENV{TEST_NGINX_OBJS} || "$root/objs";
my $all = ($ENV{SANITIZE_TESTS} // '') eq 'all';

chdir $root or die;

my $log = `make --no-print-directory sanitize-build OBJS=$objs 2>&1`;

if ($? && $log =~ /no entry|Failed to fetch|Unable to/) {
    plan(skip_all => "no source of nginx to be had: $log");
}

is($?, 0, 'nginx with sanitizers is built') or diag($log);

$ENV{TEST_NGINX_BINARY} = "$objs/sanitize/nginx";
$ENV{TEST_NGINX_MODULES} = "$objs/sanitize";

for my $test (sort(glob('t/*.t')), $all ? sort(glob('t/client/*.t')) : ()) {
    my $text = do { local (@ARGV, $/) = $test; <> };

    next if basename($test) =~ /^[09]\d-/ || $text !~ /^use Test::Nginx/m;

    my $out = `timeout -k 10 600 $^X -It/lib $test 2>&1`;
    my $status = $?;
    my ($why) = $out =~ /^1\.\.0\s*#\s*(SKIP.*)$/mi;
    my $count = () = $out =~ /^ok \d+/mg;

    ok($status == 0, "$test: " . ($why // "$count tests"))
        or diag(substr $out, -6000);
}

done_testing();

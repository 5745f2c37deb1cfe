#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The tests that run nginx, once more with nginx and the modules built with
# AddressSanitizer and UBSan, two at a time: most of their time they wait.
# SANITIZE_TESTS=all takes those of t/client too, as `make sanitize` does.  A
# test that failed without a report of a sanitizer may have been too slow for
# itself: it is run once more, alone.

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

my (%running, @again);

while (@tests || %running) {

    while (@tests && keys %running < AT_ONCE) {
        my $test = shift @tests;
        my $log = File::Temp->new();

        $running{start($test, $log)} = [ $test, $log ];
    }

    my ($test, $log) = @{delete $running{waitpid(-1, 0)} // next};

    if ($? && !reported($log)) {
        push @again, $test;
        diag("$test failed and is run again:\n" . substr(text($log), -3000));
        next;
    }

    ended($test, $?, $log);
}

for my $test (@again) {
    my $log = File::Temp->new();

    waitpid(start($test, $log), 0);
    ended("$test, again", $?, $log);
}

done_testing();


sub start {
    my ($test, $log) = @_;

    defined(my $pid = fork) or die "fork: $!";

    return $pid if $pid;

    open STDOUT, '>&', $log or die;
    open STDERR, '>&', $log or die;

    exec 'timeout', '-k', 10, 600, $^X, '-It/lib', $test;
    die "timeout: $!";
}


sub text {
    my ($log) = @_;

    local (@ARGV, $/) = "$log";

    return <> // '';
}


# did a sanitizer say something, or nginx something that is not about time?

sub reported {
    return text(@_) =~ /^not\ ok\ \d+\ -\ no\ (?:alerts|sanitizer\ errors)
        |(?:Address|Leak|UndefinedBehavior)Sanitizer|runtime\ error:/mx;
}


sub ended {
    my ($test, $status, $log) = @_;

    my $out = text($log);
    my ($why) = $out =~ /^1\.\.0\s*#\s*(SKIP.*)$/mi;
    my $count = () = $out =~ /^ok \d+/mg;

    ok($status == 0, "$test: " . ($why // "$count tests"))
        or diag(substr $out, -6000);
}

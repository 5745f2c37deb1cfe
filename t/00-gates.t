#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# What a machine can check of the tree itself: t/tools/check-* say of what.

use warnings;
use strict;

use Test::More;

use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;

my $root = abs_path(dirname(__FILE__) . '/..');
my $objs = $ENV{TEST_NGINX_OBJS} || "$root/objs";

my %gates = (
    layers  => 'includes point down, pure layers are pure',
    sizes   => 'no file over 1500 lines, no function over 100',
    style   => 'style',
    symbols => 'symbols are static, prefixed and exported by a list',
    docs    => 'directives, routes and variables are documented',
);

plan tests => scalar keys %gates;

for my $gate (sort keys %gates) {
    my @args = $gate eq 'symbols' ? ($objs) : ();

    open my $fh, '-|', $^X, "$root/t/tools/check-$gate", @args or die;
    my $out = do { local $/; <$fh> } // '';
    close $fh;

    ok($? == 0, "$gate: $gates{$gate}") or diag($out);
}

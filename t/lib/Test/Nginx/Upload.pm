package Test::Nginx::Upload;

# Copyright (C) the nginx media suite authors

# Recordings without a recorder, for tests of what becomes of them:
#
#     my $so = build($t);             # t/upload's module, to be loaded
#     uploads($t, $s3);               # the root is DIR/rec, locations /try
#     my ($id, $file) = add('app', 'name.mp4', size);
#     is(wait_state('app', $id, 2), 2, 'done');
#     same('key', $file);             # a test
#     count('^PUT app/name');         # lines of the log of S3
#     content($file)                  # what is in it

use warnings;
use strict;

use base qw/ Exporter /;

our @EXPORT = qw/ build uploads recording try add state wait_state count
    same content errors /;

use Digest::MD5 qw/ md5_hex /;
use File::Path qw/ make_path /;
use Test::More;

use Test::Nginx;

my $MB = 1024 * 1024;
my ($t, $s3, $dir);
my $n = 0;
my %data;

# built as the modules were: with what their makefile says

sub build {
    my ($t) = @_;

    my $objs = $ENV{TEST_NGINX_MODULES} || "$Test::Nginx::ROOT/objs";
    my $so = $t->testdir() . '/try.so';

    open my $fh, '<', "$objs/.inputs" or die "$objs/.inputs: $!\n";
    my ($src) = do { local $/; <$fh> } =~ m!^/\S+ (/\S+) !m;

    $t->write_file('try.mk', <<"END_OF_MAKE");
include $objs/Makefile

$so: $Test::Nginx::ROOT/t/upload/ngx_http_upload_try_module.c
	\@\$(CC) \$(CFLAGS) -shared -o \$@ \$(ALL_INCS) \$<
END_OF_MAKE

    my $text = `make -s -C $src -f @{[ $t->testdir() ]}/try.mk $so 2>&1`;

    is($?, 0, 'the module of this test builds') or BAIL_OUT($text);

    return $so;
}

sub uploads {
    ($t, $s3) = @_;
    $dir = $t->testdir();
}

# a recording of that size; gives its id

sub recording {
    my ($app, $name, $size) = @_;

    my $id = sprintf '019aa%06x%05x', ++$n, $n * 77;
    my $file = "$app/$name";
    my $chunk = join '', map { md5_hex("$id $_") } 1 .. 4096;

    $data{$file} = substr $chunk x (1 + $size / length $chunk), 0, $size;
    substr $data{$file}, $_ * $MB, 8, sprintf '%08d', $_ for 0 .. $size / $MB
        - 1;

    make_path("$dir/rec/$app");
    chmod 0777, "$dir/rec/$app";
    $t->write_file("rec/$file", $data{$file});
    chmod 0644, "$dir/rec/$file";

    return ($id, $file);
}

sub try {
    my ($what, $app, $id, $file) = @_;

    my $name = $file // '';
    $name =~ s/([^\w.\/-])/sprintf '%%%02X', ord $1/ge;

    return http_content(http_get("/try?what=$what&app=$app&stream=s&id=$id"
        . "&file=$name"));
}

sub add {
    my ($app, $name, $size) = @_;

    my ($id, $file) = recording($app, $name, $size);

    like(try('add', $app, $id, $file), qr/^0 /, "added: $file");

    return ($id, $file);
}

sub state { return (split / /, try('state', @_) // '')[1] // '' }

sub wait_state {
    my ($app, $id, $state, $timeout) = @_;

    wait_until(sub { state($app, $id) eq $state }, $timeout || 10);
    return state($app, $id);
}

sub count {
    my ($what) = @_;
    return scalar grep { /$what/ } $s3->log();
}

sub errors { return $t->read_file('error.log') // '' }

sub content { return $data{$_[0]} }

sub same {
    my ($key, $file, $name) = @_;

    my $got = $s3->object($key);

    ok(defined $got && $got eq $data{$file}, $name || "$key is the file");
}

1;

#!/usr/bin/perl

# Copyright (C) the nginx media suite authors

# The configurations that users copy, conf/nginx.conf and the one in README.md,
# work as they stand: only their ports and the places of files are replaced.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use Test::Nginx;

use IO::Select;
use IO::Socket::INET;

###############################################################################

select STDERR; $| = 1;
select STDOUT; $| = 1;

my %texts = (
    'conf/nginx.conf' => slurp('conf/nginx.conf'),
    'README.md' => (grep { /^events /m }
        slurp('README.md') =~ /^```nginx\n(.*?)^```/msg)[0] // '',
);

for my $name (sort keys %texts) {
    my $t = Test::Nginx->new()->has(qw/http stream rtmp srt flv_live/);
    my $text = $texts{$name};

    $text =~ s/^(load_module|pid|error_log) [^;]+;\n//mg;
    $text =~ s/^\s+(access_log|\w+_temp_path) [^;]+;\n//mg;
    $text =~ s{listen (?:127\.0\.0\.1:)?(\d+)( [^;]*)?;}
              {'listen 127.0.0.1:' . port($1) . ($2 // '') . ';'}ge;
    $text =~ s/^http \{/http {\n%%TEST_GLOBALS_HTTP%%/m;
    $text =~ s!^\s+root objs[^;]*;\n!!mg;

    $t->write_file_expand('nginx.conf',
        "%%TEST_GLOBALS%%\ndaemon off;\n$text");
    $t->run();

    is(scalar(() = $t->workers()), 4, "$name: workers");
    is($t->api_get('/api/v1/versions')->{code}, 0, "$name: API");
    is(http_status(http_get('/live/none.flv')), 404, "$name: HTTP-FLV");

    my $s = http_start("\x03" . "\0" x 1536, port => 1935);

    is(length http_end($s, limit => 3073, timeout => 5), 3073, "$name: RTMP");

    is(induction(), pack('N', 5), "$name: SRT");

    $t->finish();
}

done_testing();

###############################################################################

# The first message of an SRT handshake; the answer has version 5.

sub induction {
    my $s = IO::Socket::INET->new(Proto => 'udp',
        PeerAddr => '127.0.0.1:' . port(10080)) or return 'no socket';
    my $answer = '';

    for (1 .. 20) {
        $s->send(pack 'N12 x16', 0x80000000, 0, 0, 0, 4, 2, 1, 1500, 8192, 1,
            4711, 0);
        last if IO::Select->new($s)->can_read(0.25)
            && defined $s->recv($answer, 1500) && length $answer >= 64;
    }

    return substr $answer, 16, 4;
}


sub slurp {
    my ($name) = @_;
    open my $fh, '<', "$Test::Nginx::ROOT/$name" or die "$name: $!\n";
    local $/;
    return scalar <$fh>;
}

###############################################################################

package Test::Nginx::S3;

# Copyright (C) the nginx media suite authors

# A small S3 for tests, with one bucket, "bucket".  It checks signatures by
# itself, and what it was told it keeps on disk, so that it can die:
#
#     my $s3 = Test::Nginx::S3->new($t, port(8090), key => 'k', secret => 's');
#     $s3->stop();  $s3->start();
#     $s3->object('a/b.mp4');     # bytes, or undef
#     $s3->log();                 # [ "PUT a/b.mp4 200", "PART a/b.mp4 3 200" ]
#     $s3->uploads();             # how many are not complete
#     $s3->fault('PART', 2, '503 SlowDown');
#     $s3->rate(bytes a second);
#
# The log knows PUT, CREATE, PART, LIST, COMPLETE, ABORT, HEAD.  A fault is a
# status with a code, "close" (after half of a body), "lost" (it is done, and
# nothing is said), "error" (200 with an error in it), "reset".

use warnings;
use strict;

use Digest::MD5 qw/ md5 md5_hex /;
use Digest::SHA qw/ sha256_hex hmac_sha256 hmac_sha256_hex /;
use File::Path qw/ make_path rmtree /;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw/ time sleep /;
use Time::Local qw/ timegm /;

my $MIN = 5 * 1024 * 1024;

sub new {
    my ($class, $t, $port, %o) = @_;

    my $self = bless { t => $t, port => $port, region => 'us-east-1', %o,
        dir => $t->testdir() . "/s3-$port" }, $class;

    make_path("$self->{dir}/objects", "$self->{dir}/uploads");
    $self->start();

    return $self;
}

sub start {
    my ($self) = @_;

    my $listen = IO::Socket::INET->new(Listen => 128, ReuseAddr => 1,
        LocalAddr => "127.0.0.1:$self->{port}") or die "listen: $!\n";

    $self->{pid} = $self->{t}->run_daemon(sub { $self->serve($listen) });
    close $listen;
}

sub stop {
    my ($self) = @_;
    $self->{t}->stop_daemon($self->{pid}, 'KILL');
}

sub slurp {
    my ($file) = @_;

    open my $fh, '<:raw', $file or return undef;
    local $/;
    return scalar readline($fh) // '';
}

sub spew {
    my ($file, @data) = @_;

    open my $fh, '>:raw', "$file.tmp" or die "$file: $!\n";
    print $fh @data;
    close $fh;
    rename "$file.tmp", $file or die "$file: $!\n";
}

sub name { return unpack 'H*', $_[0] }

sub object {
    my ($self, $key) = @_;
    return slurp("$self->{dir}/objects/" . md5_hex($key));
}

sub about {
    my ($self, $key) = @_;
    return slurp("$self->{dir}/objects/" . md5_hex($key) . '.head') // '';
}

sub log {
    my ($self) = @_;
    return split /\n/, slurp("$self->{dir}/log") // '';
}

sub uploads {
    my ($self) = @_;
    return scalar(() = glob "$self->{dir}/uploads/*");
}

sub fault {
    my ($self, $op, $count, $what) = @_;
    spew("$self->{dir}/fault-$op", "$count $what");
}

sub rate {
    my ($self, $rate) = @_;
    spew("$self->{dir}/rate", $rate);
}

###############################################################################

sub serve {
    my ($self, $listen) = @_;

    my $select = IO::Select->new($listen);
    my %conns;

    while (1) {
        for my $s ($select->can_read(1)) {

            if ($s == $listen) {
                my $new = $listen->accept() or next;
                $new->blocking(1);
                $select->add($new);
                $conns{$new} = { s => $new, in => '' };
                next;
            }

            my $c = $conns{$s};
            my $n = sysread $s, $c->{in}, 65536, length $c->{in};

            my $rate = slurp("$self->{dir}/rate");

            sleep($n / $rate) if $n && $rate;

            my $more = $n;
            $more = $self->step($c) while $more && $more ne 'wait';

            unless ($more) {
                $select->remove($s);
                delete $conns{$s};
                close $s;
            }
        }
    }
}

# A request where all of it is there: 1: there may be another one, 'wait', 0:
# the connection ends.

sub step {
    my ($self, $c) = @_;

    unless ($c->{head}) {
        return 'wait' unless $c->{in} =~ s/^(.*?\r\n)\r\n//s;
        $c->{head} = $1;
        ($c->{length}) = $c->{head} =~ /^Content-Length: (\d+)/mi;
        $c->{length} //= 0;

        my ($method, $uri) = $c->{head} =~ /^(\S+) (\S+) HTTP/;
        my ($path, $query) = split /\?/, $uri, 2;

        $c->{method} = $method;
        $c->{path} = $path;
        $c->{query} = { map { map { decode($_) } /^([^=]*)=?(.*)$/ }
            split /&/, $query // '' };
        $c->{op} = op($c);

        $c->{fault} = $self->take($c->{op});

        syswrite $c->{s}, "HTTP/1.1 100 Continue\r\n\r\n"
            if $c->{head} =~ /^Expect: 100-continue/mi;
    }

    return 0 if $c->{fault} eq 'close'
        && length $c->{in} >= $c->{length} / 2;

    return 'wait' if length $c->{in} < $c->{length};

    my $body = substr $c->{in}, 0, $c->{length}, '';

    my ($status, $out, @headers) = $self->answer($c, $body);
    my ($key) = decode($c->{path}) =~ m!^/[^/]*/?(.*)!s;
    my $number = $c->{query}{partNumber};

    open my $log, '>>', "$self->{dir}/log" or die;
    print $log join(' ', $c->{op}, $key, defined $number ? $number : (),
        $status =~ /^(\d+)/), "\n";
    close $log;

    return 0 if $c->{fault} eq 'lost';

    push @headers, 'Content-Length: ' . length $out
        unless grep { /^Content-Length/ } @headers;

    my $text = join("\r\n", "HTTP/1.1 $status", @headers)
        . "\r\n\r\n$out";
    my $head = $c->{head};

    delete @$c{qw/ head fault op /};

    return 0 unless syswrite($c->{s}, $text);
    return $head =~ /^Connection: close/mi ? 0 : 1;
}

sub take {
    my ($self, $op) = @_;

    my ($count, $what) = (slurp("$self->{dir}/fault-$op") // '')
        =~ /^(\d+) (.*)/ or return '';

    if ($count > 1) {
        $self->fault($op, $count - 1, $what);
    } else {
        unlink "$self->{dir}/fault-$op";
    }

    return $what;
}

sub op {
    my ($c) = @_;

    my $q = $c->{query};
    my $m = $c->{method};

    return 'CREATE' if $m eq 'POST' && exists $q->{uploads};
    return 'COMPLETE' if $m eq 'POST' && exists $q->{uploadId};
    return 'PART' if $m eq 'PUT' && exists $q->{partNumber};
    return 'LIST' if $m eq 'GET' && exists $q->{uploadId};
    return 'ABORT' if $m eq 'DELETE' && exists $q->{uploadId};
    return $m;
}

sub decode {
    my ($s) = @_;
    $s =~ s/%([0-9A-Fa-f]{2})/chr(hex $1)/ge;
    return $s;
}

sub encode {
    my ($s, $slash) = @_;
    $s =~ s!([^A-Za-z0-9._~/-])!sprintf '%%%02X', ord $1!ge;
    $s =~ s!/!%2F!g unless $slash;
    return $s;
}

sub error {
    my ($status, $code) = @_;
    return ("$status Error", '<?xml version="1.0" encoding="UTF-8"?>'
        . "\n<Error><Code>$code</Code><Message>no</Message></Error>",
        'Content-Type: application/xml');
}

# what is wrong with a signature, or undef

sub unsigned {
    my ($self, $c, $body) = @_;

    my ($key, $date, $region, $names, $signature) = $c->{head} =~
        m!^Authorization:\ AWS4-HMAC-SHA256\ Credential=(\S+?)/(\d{8})
          /([^/]+)/s3/aws4_request,\s*SignedHeaders=([^,]+),
          \s*Signature=([0-9a-f]{64})\r$!mix or return 'AccessDenied';

    return 'InvalidAccessKeyId' if $key ne $self->{key};
    return 'AuthorizationHeaderMalformed' if $region ne $self->{region};

    my %h = map { /^([^:]+):\s*(.*?)\s*$/ ? (lc $1, $2) : () }
        split /\r\n/, $c->{head};

    my @names = split /;/, $names;

    for my $must (qw/ host x-amz-date x-amz-content-sha256 /, grep {
        /^x-amz-/ || $_ eq 'content-type' } keys %h)
    {
        return 'AccessDenied' unless grep { $_ eq $must } @names;
    }

    return 'AccessDenied' if "@names" ne join ' ', sort @names;

    my $time = $h{'x-amz-date'};
    my @time = $time =~ /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/
        or return 'AccessDenied';

    return 'RequestTimeTooSkewed' if abs(time() - timegm(@time[5, 4, 3, 2],
        $time[1] - 1, $time[0])) > 900;
    return 'AccessDenied' if substr($time, 0, 8) ne $date;

    my $canonical = join "\n", $c->{method}, encode(decode($c->{path}), 1),
        join('&', map { encode($_) . '=' . encode($c->{query}{$_}) }
            sort keys %{$c->{query}}),
        (map { "$_:" . ($h{$_} // '') } @names), '', $names,
        $h{'x-amz-content-sha256'};

    my $sign = "AWS4-HMAC-SHA256\n$time\n$date/$region/s3/aws4_request\n"
        . sha256_hex($canonical);
    my $k = "AWS4$self->{secret}";

    $k = hmac_sha256($_, $k) for $date, $region, 's3', 'aws4_request';

    return 'SignatureDoesNotMatch' if hmac_sha256_hex($sign, $k)
        ne $signature;
    return 'XAmzContentSHA256Mismatch' if $h{'x-amz-content-sha256'}
        ne sha256_hex($body);
    return undef;
}

sub answer {
    my ($self, $c, $body) = @_;

    my $wrong = $self->unsigned($c, $body);

    return error($wrong =~ /Mismatch$/ ? 400 : 403, $wrong) if $wrong;

    my ($bucket, $key) = decode($c->{path}) =~ m!^/([^/]+)/(.+)$!s;

    return error(404, 'NoSuchBucket') if ($bucket // '') ne 'bucket';
    return error($1, $2) if $c->{fault} =~ /^(\d+) (\w+)/;

    my $object = "$self->{dir}/objects/" . md5_hex($key);
    my $op = $c->{op};

    if ($op eq 'PUT') {
        spew("$object.head", $c->{head});
        spew($object, $body);
        return ('200 OK', '', 'ETag: "' . md5_hex($body) . '"');
    }

    if ($op eq 'HEAD') {
        return ('404 Not Found', '') unless -f $object;
        return ('200 OK', '', 'Content-Length: ' . -s $object,
            'ETag: "x-1"');
    }

    if ($op eq 'CREATE') {
        my $id = md5_hex($key . time() . $$ . rand()) . '/+ =';
        my $dir = "$self->{dir}/uploads/" . name($id);

        mkdir $dir or die;
        spew("$dir/key", $key);
        spew("$dir/head", $c->{head});

        return ('200 OK', '<?xml version="1.0"?><InitiateMultipartUpload'
            . 'Result xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            . "<Bucket>bucket</Bucket><UploadId>$id</UploadId>"
            . '</InitiateMultipartUploadResult>');
    }

    my $dir = "$self->{dir}/uploads/" . name($c->{query}{uploadId} // '');

    return error(404, 'NoSuchUpload') if (slurp("$dir/key") // '') ne $key;

    if ($op eq 'PART') {
        spew("$dir/" . $c->{query}{partNumber}, $body);
        return ('200 OK', '', 'ETag: "' . md5_hex($body) . '"');
    }

    if ($op eq 'ABORT') {
        rmtree($dir);
        return ('204 No Content', '');
    }

    my @parts = sort { $a <=> $b } map { m!/(\d+)$! ? $1 : () }
        glob "$dir/*";

    if ($op eq 'LIST') {
        my $max = $self->{list} || $c->{query}{'max-parts'} || 1000;
        my $from = $c->{query}{'part-number-marker'} || 0;

        @parts = grep { $_ > $from } @parts;
        my $cut = @parts > $max;
        splice @parts, $max if $cut;

        return ('200 OK', '<ListPartsResult><IsTruncated>'
            . ($cut ? 'true' : 'false') . '</IsTruncated>'
            . join('', map { "<Part><PartNumber>$_</PartNumber><ETag>&quot;"
            . md5_hex(slurp("$dir/$_")) . '&quot;</ETag><Size>'
            . (-s "$dir/$_") . '</Size></Part>' } @parts)
            . '</ListPartsResult>');
    }

    # COMPLETE

    return ('200 OK', '<Error><Code>InternalError</Code></Error>')
        if $c->{fault} eq 'error';

    my ($n, $data, $sums) = (0, '', '');

    while ($body =~ m!<Part><PartNumber>(\d+)</PartNumber><ETag>"?(\w+)"?
                      </ETag></Part>!gx)
    {
        my $part = slurp("$dir/$1");

        return error(400, 'InvalidPart')
            if !defined $part || md5_hex($part) ne $2;
        return error(400, 'InvalidPartOrder') if $1 != ++$n;

        $data .= $part;
        $sums .= md5($part);
    }

    return error(400, 'MalformedXML') unless $n;
    return error(400, 'EntityTooSmall')
        if grep { -s "$dir/$_" < $MIN } 1 .. $n - 1;

    spew("$object.head", slurp("$dir/head"));
    spew($object, $data);
    rmtree($dir);

    return ('200 OK', '<CompleteMultipartUploadResult><ETag>&quot;'
        . md5_hex($sums) . "-$n&quot;</ETag></CompleteMultipartUploadResult>");
}

1;

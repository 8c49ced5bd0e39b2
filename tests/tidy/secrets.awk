# What crosses RLPx may be read by others: both directions share one key stream (attacks.md, H-12). So nothing secret may
# cross it. Checks the sources given, named from the root of the tree, against -v list=FILE (secrets.tsv):
#   message  only the functions of the list put RLPx messages together or seal them
#   secret   only the files of the list name a type that holds keys. RLPx's writers take bytes (spans), so that none of
#            these types gets there unless somebody makes bytes of it, and:
#   no statement makes a span or a copy of what is named like a thing that holds keys (its public half is no secret)
# By names, not by data flow: a key that was copied under another name passes. Prints "file:line: what" for each
# violation. Relies on the format of .clang-format: a function's braces stand alone in the first column.

BEGIN {
    while ((getline line < list) > 0) {
        if (line ~ /^#/ || split(line, words, "\t") != 3)
            continue
        kind[++rows] = words[1]
        what[rows] = words[2]
    }
    begin = "(^|[^a-z0-9_])"
    end = "([^a-z0-9_]|$)"
    writers = begin "mr_(message_put_head|message_spans|rlpx_seal|rlpx_seal_one)\\("
    types = "struct mr_(secp_keypair|rlpx_secrets|rlpx_ephemerals|rlpx_handshake|rlpx_session|aes256)" end
    takers = begin "(mr_span|mr_writer|mr_rlp_put_[a-z0-9]+|mr_message_spans|memcpy|memmove)\\("
    holders = begin "(self|keypair|secrets|ephemerals|nodekey)" end "|(->|\\.)(session|hs)" end
    public = "[a-z0-9_>.-]*(->|\\.)(pub|sent|sent_n)" end
}

function complain(text)
{
    printf "%s:%d: %s\n", FILENAME, FNR, text
}

function allowed(k, text, i)
{
    for (i = 1; i <= rows; i++)
        if (kind[i] == k && text ~ what[i])
            return used[i] = 1
    return 0
}

FNR == 1 { signature = statement = ""; inside = comment = 0 }

{ # without comments and the insides of strings
    code = $0
    if (comment && !sub(/^.*\*\//, "", code))
        next
    comment = 0
    gsub(/\/\*[^*]*\*\//, "", code)
    if (sub(/\/\*.*/, "", code))
        comment = 1
    gsub(/"([^"\\]|\\.)*"/, "", code)
}

code ~ /^[A-Za-z_].*\(/ && code !~ /;$/ && code !~ /^#/ && !inside {
    signature = code
    sub(/\(.*/, "", signature)
    sub(/.*[ \t*]/, "", signature)
}
code ~ /^\{/ { inside = 1 }
code ~ /^\}/ { inside = 0 }

inside && code ~ writers && !allowed("message", FILENAME ":" signature) {
    complain(signature " puts an RLPx message together or seals it, and is not in tests/tidy/secrets.tsv")
}

code ~ types && !allowed("secret", FILENAME) {
    complain("names a type that holds keys, and the file is not in tests/tidy/secrets.tsv")
}

inside {
    statement = statement " " code
    if (code ~ /[;{}]/) {
        gsub(/sizeof [a-z0-9_>.*-]+|sizeof\([^)]*\)/, "", statement)
        gsub(public, "", statement)
        if (statement ~ takers && statement ~ holders)
            complain("makes bytes of what holds keys")
        statement = ""
    }
}

END {
    for (i = 1; i <= rows; i++)
        if (!used[i])
            printf "%s:0: nothing is \"%s\" any more: remove its line\n", list, what[i]
}

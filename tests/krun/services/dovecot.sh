#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# dovecot: a user logs in by IMAP, puts a letter and reads it.
useradd --create-home reader
echo reader:secret | chpasswd
printf 'mail_location = maildir:~/Maildir\ndisable_plaintext_auth = no\n' >/etc/dovecot/local.conf
service dovecot start >/dev/null && echo started
printf 'Subject: hello\r\n\r\nbody\r\n' >/tmp/letter
curl -s -u reader:secret -T /tmp/letter imap://localhost/INBOX && echo put
curl -s -u reader:secret 'imap://localhost/INBOX;UID=1' | tr -d '\r'
curl -s -u reader:wrong imap://localhost/INBOX
echo "wrong: $?"
stat -c %U /home/reader/Maildir/cur
service dovecot stop >/dev/null && echo stopped

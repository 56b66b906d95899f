//! One peer's transport below RTP: ICE-lite, DTLS, SRTP. Pure state machines: datagrams and `now` in, datagrams out.

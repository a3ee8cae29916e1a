"""What the system tests are made of: real nginx, real Redis, raw sockets.

nginx.py     one nginx in a folder of its own, its error log read at the end
redis.py     one redis-server in a folder of its own, and a small RESP client
scripted.py  a Redis that answers by script, for what the real one won't do
proxy.py     stands between nginx and Redis: delays, cuts, freezes, spoils
tokens.py    keys, JWKS files and tokens, good ones and bad ones
names.py     user keys, shards, Redis keys, records: written a second time
http.py      clicks over plain sockets, byte for byte
http2.py     streams of one HTTP/2 connection, frame by frame
worker.py    a stand-in for the activation worker
edge.py      all of these together: an edge that is ready to be clicked
desk.py      workers with two parties, asked past nginx
"""

module nylonring-examples

go 1.22

require nylonring v0.0.0

replace nylonring => ../../plugin-sdk/go

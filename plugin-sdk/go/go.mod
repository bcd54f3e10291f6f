module nylonring

go 1.22
